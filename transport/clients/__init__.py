"""The side of whoever asks: the blocking client, its conversation, its subscription.

Knows the language; must not know what a conductor is made of.
"""
