"""Threads that may block, shared out: what hangs in one share holds up nobody in another. ADR 0028."""
