"""What everybody may read without asking an actor: views, waits, pages of the past, the conductor about itself.

May come in: readers. Must not: anything that changes a node.
"""
