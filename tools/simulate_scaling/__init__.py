"""A day of calls against the real scaling decisions, in seconds. `python -m tools.simulate_scaling --help`."""
