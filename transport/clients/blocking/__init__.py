"""The client for programs that wait: every call blocks the thread that makes it, until it is answered.

What is said to a conductor is written once, as coroutines over `conversation`; here they are run to their end in the
calling thread, without a loop. No decision may come in, and nothing that needs asyncio, whose import costs a command
line 17 ms.
"""
