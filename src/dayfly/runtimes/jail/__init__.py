"""What holds somebody else's code in its box, whatever its language: each layer a module, none knows a runtime."""
