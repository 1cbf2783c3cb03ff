"""Calls that were accepted and are made later: the queue port, and its adapter on NATS JetStream."""
