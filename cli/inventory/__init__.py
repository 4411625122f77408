"""`castiron node import` and `castiron node discover`: nodes from lists that others keep, and BMCs found on networks.

entries.py    a file's entries, each with its place in the file; what is wrong, all of it at once
tables.py     CSV and TOML                    ironic.py     JSON as Ironic and castiron print it
planning.py   what an entry would change of a node; pure
importing.py  the command                     discovery.py  the other command
"""
