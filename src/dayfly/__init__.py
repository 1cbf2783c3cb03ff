"""Dayfly: serverless functions on one machine or many."""

__version__ = "0.2.0"
