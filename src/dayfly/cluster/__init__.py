"""A Kubernetes cluster's API: connecting, watching, our kinds and their schemas."""
