"""What is decided about sensors' readings: alarm rules, and when an alarm changes. Pure."""
