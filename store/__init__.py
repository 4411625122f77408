"""What is true on disk.

Frozen records go in and come out; peewee and SQL never leave this room. One writer commits the changes of many actors
together. May come in: what must survive a power cut. Must not: who may change it and why (actors decide that), or the
protocol. Imports of ours only the words.
"""
