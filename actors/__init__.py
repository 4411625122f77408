"""Who decides, and who does.

Decisions are pure functions and tables (`core/`); actors, threads, clocks and drivers are thin shells that carry them
out. One way: verb → actor → decision → commit → effects. May come in: what happens to a node and when. Must not: bytes
and sockets (transport), SQL (store), terminals (cli).
"""
