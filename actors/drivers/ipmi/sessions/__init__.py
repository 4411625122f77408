"""One BMC's session: login, commands, their meaning, and how long silence is borne.

No sockets, no threads: datagrams and moments are handed in.
"""
