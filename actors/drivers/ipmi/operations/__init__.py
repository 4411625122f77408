"""What is said to a BMC for each operation, and what its answers mean: generators of requests, nothing else.

    table.py      operation → its generator
    chassis.py    power, boot device, lamp       controller.py  the BMC's identity and restart
    fru.py        the inventory's areas          areas.py       their fields
    records.py    the sensors' records           sensors.py     the sensors' readings
    texts.py      names and serial numbers
    sel.py        the event log                  users.py       passwords

No sessions, no time, no sockets. pyghmi's decoding of inventories and records is used in areas.py and sensors.py.
"""
