"""The page on the console's own listener."""
