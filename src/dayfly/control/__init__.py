"""The control plane: what should be true of every function, and making it true."""
