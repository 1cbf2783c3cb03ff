"""The command line: one module a noun or verb, heavy imports only inside the command."""
