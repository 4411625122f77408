"""The commands that a BMC knows: one row each, with what it takes to be allowed and how much data it has.

A handler gets only what its row lets through, so it need not check lengths; it returns completion code and data. What
is in no table is answered 0xC1. Nothing here knows about datagrams.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from castiron.testing.bmc import codes
from castiron.testing.bmc.commands.ask import Ask, Command
from castiron.testing.bmc.commands.chassis import CHASSIS
from castiron.testing.bmc.commands.controller import CONTROLLER
from castiron.testing.bmc.commands.storage import STORAGE
from castiron.testing.bmc.commands.users import USERS
from castiron.testing.bmc.device import Device
from castiron.testing.bmc.wire.rmcp import Message
from castiron.testing.bmc.wire.session import Session

COMMANDS: Final[Mapping[tuple[int, int], Command]] = MappingProxyType({**CHASSIS, **CONTROLLER, **USERS, **STORAGE})
"""(network function, command) -> its row."""


def execute(device: Device, session: Session, message: Message, now: float) -> bytes:
    """Return completion code and data for a request, and do what it asks."""
    if device.faults.refusal is not None and (refusal := device.refuses(message, session)) is not None:
        return refusal
    command = COMMANDS.get((message.netfn, message.command))
    if command is None:
        return codes.INVALID_COMMAND
    if session.privilege < command.privilege:
        return codes.PRIVILEGE_INSUFFICIENT
    if not command.least_bytes <= len(message.data) <= command.most_bytes:
        return codes.LENGTH_INVALID
    return command.handler(Ask(device, session, message.data, now))
