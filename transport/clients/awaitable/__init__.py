"""The client for programs with an event loop: every call is awaited, and the loop goes on meanwhile.

What is said to a conductor is written once, as coroutines over `conversation`; here is only how a loop waits. The one
home of asyncio among the clients.
"""
