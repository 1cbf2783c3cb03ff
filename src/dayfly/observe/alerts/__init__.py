"""Alerts: what watches figures, and who is told."""
