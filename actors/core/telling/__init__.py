"""What is told about a node beyond how it stands: why it stands so, and what would come of a message. Pure."""
