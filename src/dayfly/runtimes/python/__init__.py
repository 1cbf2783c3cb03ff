"""The Python runtime: zygote, templates, and the host that answers calls with a handler."""
