"""Executors: who says which step of a list is next. The built-in one, and TaskFlow.

May come in: another executor. Must not: what a step does, and what follows from its end (`core.provision`): an executor
has no way to the node's state, its commits or its events.
"""
