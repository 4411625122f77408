"""What shells are told, so that they complete what is typed."""
