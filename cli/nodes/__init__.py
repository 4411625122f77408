"""`castiron node`: what is asked of nodes, and how nodes look."""
