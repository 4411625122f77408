"""A whole conductor in virtual time, with machines, users and trouble drawn from a seed, and judges of what came of it.

    simulation  conductors on one store, one after the other, and all around them
    trouble     what goes wrong                 users       who asks, and what they heard
    house       one start of a conductor        disk        the store's turns
    direct      a driver without packets        network     datagrams without sockets
    invariants  the judges                      report      what is told
    evidence    what there is to judge          machines    BMCs, and the truth about them
    plan        sizes and rates, and the seed       rollout/  another story: all machines deployed at once

Imports go down this list only. Nothing here may start a thread, open a socket, or ask the time.
"""
