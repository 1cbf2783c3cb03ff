"""State in a Kubernetes cluster: custom resources, Secrets and a few ConfigMaps."""
