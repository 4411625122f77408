"""Everything that decides, as pure functions and tables.

No I/O, no threads, no clock, no randomness: what time it is, which ids are new and what was observed come in with the
message. The same state and the same message always give the same decision, so every rule here can be tested without a
machine, and a simulation replays byte for byte. May come in: states, messages, settings. Must not: anything that waits.
"""
