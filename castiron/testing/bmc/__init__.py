"""A simulated IPMI 2.0 BMC without I/O: real RMCP+ in bytes, for real UDP and for simulations in virtual time.

    codes      the numbers of IPMI
    rmcp       the wire outside sessions          suite      keys, sealing and opening
    session    slots, time-outs, sequence window  handshake  Open Session and RAKP
    chassis    the machine                        boot       its boot options
    device     the state of a BMC                 commands   what it can be asked
    faults     what can be wrong with it          controller the BMC: datagrams in, datagrams out

Imports go down this list only. Nothing here may import a socket, a thread or a clock.
"""

from castiron.testing.bmc.chassis import Chassis, Control
from castiron.testing.bmc.codes import ChassisAction, Privilege
from castiron.testing.bmc.controller import BMC, Answers
from castiron.testing.bmc.device import BMCSettings, Device
from castiron.testing.bmc.faults import Faults

__all__ = [
    "BMC",
    "Answers",
    "BMCSettings",
    "Chassis",
    "ChassisAction",
    "Control",
    "Device",
    "Faults",
    "Privilege",
]
