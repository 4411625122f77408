"""`castiron status --watch`: what to look at, drawn again and again."""
