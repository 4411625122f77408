"""Where BMCs are and how datagrams get there: addresses, names, sockets, the heap of timers. No IPMI here."""
