"""What happened: logs, call counts, Prometheus metrics."""
