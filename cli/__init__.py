"""What a person types: commands, tables, colours and exit codes.

Every command speaks the protocol through the client, like any other program; only `serve`, `demo` and `farm` start what
they are named after. Nothing is decided here about a machine.
"""
