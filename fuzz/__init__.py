"""Hostile traffic: what makes it, what it must come to, and other parsers' opinions. Tests and `make fuzz` use it."""
