"""Commands about machines' sensors: what they say, and which alarms are raised."""
