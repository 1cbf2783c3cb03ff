"""The ways a handler may be written: one module a dialect, each making a `Handler` of what the author wrote."""
