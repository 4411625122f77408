"""One BMC's session: login, requests and their answers, and how long silence is borne.

No sockets, no threads: datagrams and moments are handed in.
"""
