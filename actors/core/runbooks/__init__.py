"""Runbooks: lists of steps that are stored under a name; which there may be, and what becomes of one at its use."""
