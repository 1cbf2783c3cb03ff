"""Other systems' faces on the same use cases."""
