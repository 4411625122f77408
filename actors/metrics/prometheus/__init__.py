"""Metrics for Prometheus: which there are, how they are written, where they are read."""
