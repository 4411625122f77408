"""A simulated IPMI 2.0 BMC without I/O: real RMCP+ in bytes, for real UDP and for simulations in virtual time.

    controller the BMC: datagrams in, datagrams out
    commands   what it can be asked               handshake  Open Session and RAKP
    forgery    answers not to be believed         line       the way: losses, duplicates, order
    device     the state of a BMC             contents   inventory, sensors, event log, users
    chassis    the machine                        boot       its boot options
    session    slots, time-outs, sequence window  suite      keys, sealing and opening
    rmcp       the wire outside sessions          faults     what can be wrong
    codes      the numbers of IPMI

Imports go down this list only. Nothing here may import a socket, a thread or a clock.
"""

from castiron.testing.bmc.chassis import Chassis, Control
from castiron.testing.bmc.codes import ChassisAction, Privilege
from castiron.testing.bmc.contents.sel import Event
from castiron.testing.bmc.contents.sensors import Sensor
from castiron.testing.bmc.contents.users import User
from castiron.testing.bmc.controller import BMC, Answers
from castiron.testing.bmc.device import BMCSettings, Device
from castiron.testing.bmc.faults import CommandKind, Faults, Forgery, LongTail, Refusal

__all__ = [
    "BMC",
    "Answers",
    "BMCSettings",
    "Chassis",
    "ChassisAction",
    "CommandKind",
    "Control",
    "Device",
    "Event",
    "Faults",
    "Forgery",
    "LongTail",
    "Privilege",
    "Refusal",
    "Sensor",
    "User",
]
