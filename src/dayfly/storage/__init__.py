"""Desired state and blobs, behind ports."""
