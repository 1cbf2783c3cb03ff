"""Dayfly in a cluster: what its processes are started with there, and how it gets there (`install`)."""
