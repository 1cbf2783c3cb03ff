"""Kubernetes, as far as providers and storage both need it: connecting, watching, the kinds of `dayfly.dev`."""
