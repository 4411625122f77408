"""The state machines of actions and of the power check: tables of rules, and what follows them. Pure.

One module a machine; which verb has which is in `actions`.
"""
