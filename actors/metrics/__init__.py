"""What the conductor counts about itself while it works, and how others read it: `status`, the log, Prometheus.

Counting is O(1) and takes a microsecond at the most; whoever reads takes copies, and keeps nobody waiting. Nothing here
decides about nodes.
"""
