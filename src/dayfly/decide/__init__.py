"""Pure decisions: events and a time in, instructions out. No clock, no socket, no sleep, no randomness."""
