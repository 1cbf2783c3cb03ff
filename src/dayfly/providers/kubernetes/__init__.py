"""Replicas as pods: code in pods of a pool that waits, images as Deployments."""
