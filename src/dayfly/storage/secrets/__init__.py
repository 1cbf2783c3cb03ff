"""Secrets at rest, behind a port."""
