"""Sensors' readings: taken in the background, kept as they were last, and handed to whoever decides about alarms."""
