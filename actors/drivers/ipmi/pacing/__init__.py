"""How much is asked of the network and of one BMC at once: allowances that fill up again, and who waits for them.

Nothing is dropped, and nothing that has begun is held up: only what has not begun waits, requests of users before
checks before long readings. No sockets, no threads, no IPMI: counts and moments are handed in.
"""
