"""Calls that are owed once requests have ended: made, made again, given up.

May come in: when and how often. Must not: that something is owed, which is decided with the end of the request
(`core.requests.callbacks`), and how HTTP works, which is transport's.
"""
