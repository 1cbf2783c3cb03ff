"""The data plane: the only thing between a caller and a function."""
