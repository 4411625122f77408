"""A node's actor and what it holds: decisions on their way to the disk, its place to run, its answers.

Thin shells around `actors.core`; no decision is made here.
"""
