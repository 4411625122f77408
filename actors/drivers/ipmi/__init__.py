"""IPMI v2.0 over the network (RMCP+): one thread speaks to all BMCs, and no BMC waits for another.

    driver.py     the Driver: any thread in, outcomes out; owns the thread and its epoll
    inline.py     the same Driver on a clock and a simulated network, without thread and socket
    engine.py     which node's BMC a call or a datagram belongs to; generations; stop
    bmc.py        one BMC's calls: order, deadlines, what may be repeated
    pending.py    one call, and what is known of its effect
    pacing/       how much is asked at once of all, and of one address; who waits for it
    operations/   what is said to a BMC for each operation, and what its answers mean
    link.py       one BMC's session from name to logout: probe, login, silence, keepalive
    services.py   what a link is given
    session.py    pyghmi's RMCP+ (framing, RAKP, AES, HMAC) without its I/O
    exchange.py   a request and its answer
    codes.py      completion codes and RMCP+ statuses, and the errors that they are
    settings.py   driver_info                    address.py   hosts and ports
    names.py      host names, off the thread     network.py   the sockets
    logins.py     how many log in at once        timers.py    the heap
    timing.py     how long silence is borne      counters.py  what `status` shows
    keeping.py    when an idle session is kept alive

Everything but driver.py, names.py and network.py is free of I/O and threads, and runs on the time that it is given.
"""

from castiron.actors.drivers.ipmi.driver import IPMIDriver

__all__ = ["IPMIDriver"]
