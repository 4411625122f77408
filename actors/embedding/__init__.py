"""A conductor inside a program with an event loop: what blocks is done in threads of its own, the loop goes on.

The one home of asyncio about a whole conductor. Must not come in: what a conductor is made of, and anything of Pykka,
whose futures hold up the loop that awaits them.
"""
