"""Commands about the conductor itself: run it, set it up, look at it, keep its store and its keys."""
