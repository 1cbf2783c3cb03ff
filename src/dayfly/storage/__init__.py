"""Desired state, tenancy and blobs, behind ports."""
