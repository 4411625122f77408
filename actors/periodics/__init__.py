"""Periodic tasks: what drivers, plug-ins and castiron itself do again and again, each on its own timer.

May come in: other ways to declare a task, other strategies. Must not: what a task does.
"""
