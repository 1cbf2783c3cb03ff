"""What figures were over time: sampled, rolled up, kept within bounds, and answered in PromQL (`observe.promql`)."""
