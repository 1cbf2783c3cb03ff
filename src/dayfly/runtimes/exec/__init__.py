"""The runtime `exec`: a program that is started once a call, as OpenFaaS's classic watchdog does it."""
