"""Places where replicas can run, behind one port."""
