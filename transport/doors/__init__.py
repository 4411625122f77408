"""The side of the conductor: sockets that are bound, messages in, replies and events out.

Knows the language; must not know who answers.
"""
