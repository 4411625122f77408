"""Allocations: the actor that keeps them, what is published of them, and how they are asked for."""
