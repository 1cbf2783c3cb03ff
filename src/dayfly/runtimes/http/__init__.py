"""The runtime `http`: a program that stays and serves HTTP on a port of its own."""
