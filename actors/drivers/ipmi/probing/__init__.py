"""What can be learnt of a BMC before it is anybody's node: is it there, what does it offer, does a login work.

    packets.py    datagrams outside sessions: ASF presence, IPMI 1.5 messages; pure
    looking.py    one BMC asked step by step, blocking: presence, capabilities, cipher suites, a login, session slots
    sweeping.py   many addresses asked whether a BMC is there, paced

For people who look, and for them alone: nothing here takes part in a conductor's work or touches its sessions.
"""
