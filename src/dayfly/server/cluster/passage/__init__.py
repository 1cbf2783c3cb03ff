"""The passage: the control plane's unix sockets, reached from gateways in other pods over TLS."""
