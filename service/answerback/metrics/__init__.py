"""Prometheus metrics: reading the shared counters, the metric families, and the text format."""
