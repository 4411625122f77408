"""The language and the sockets: what is said to a conductor, and how it travels.

Words, verbs, replies and errors are plain data without I/O; the codec and the session turn bytes into them; the front
door and the clients are thin shells around ZeroMQ sockets. May come in: anything that crosses the wire. Must not: what
a word means for a machine (actors decide that) and what is on disk (the store keeps that). Imports nothing of ours.
"""
