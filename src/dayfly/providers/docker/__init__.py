"""Replicas as containers of a Docker or Podman engine on this machine."""
