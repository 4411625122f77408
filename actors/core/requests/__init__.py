"""The life of a request, from how it is judged to its end: how it waits, begins, is driven, and is ended. Pure.

What drives a machine is the machines'; what works through steps is in `core.provision`. Which request goes with which
is a table, in `compatibility`.
"""
