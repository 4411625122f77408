"""Lists of steps whose order is decided outside the node's actor: what is asked, and what an answer is worth. Pure.

May come in: what is said to an executor. Must not: how one decides (`actors.executors`), or what a move means
(`provision.driving`).
"""
