"""Composition: settings, wiring, the supervisor behind `dayfly start`, the processes' entry points."""
