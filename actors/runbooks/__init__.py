"""Runbooks at work: who keeps them, and what everybody may read of them. What is decided about them is core's."""
