"""Allocations, decided: which nodes can be had, who waits for one, and what a node does when it is claimed. Pure."""
