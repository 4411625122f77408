"""Running actors on few threads: mailboxes, the pool, clocks, and their virtual twins.

May come in: what knows about turns and timers. Must not: anything that knows what a node is.
"""
