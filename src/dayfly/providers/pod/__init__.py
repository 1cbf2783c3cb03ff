"""What runs in a runtime pod: an agent that is claimed once, given a function's code, and serves it until it ends."""
