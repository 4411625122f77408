"""Bulks: one message that asks the same of many nodes, carried out by an actor of its own."""
