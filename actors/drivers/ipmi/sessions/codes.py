"""What a BMC's refusals are: completion codes and RMCP+ statuses, each with its error. Two tables; pure.

Decided by number, never by anybody's text. A code that is not here is a BMCFault.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from castiron.transport.errors import BMCBusy, BMCCredentials, BMCError, BMCFault, BMCUnsupported


class Meaning(NamedTuple):
    """What a number means."""

    error: type[BMCError]
    text: str


CHASSIS: Final = 0x00
SENSOR: Final = 0x04
APP: Final = 0x06
STORAGE: Final = 0x0A

INVALID_COMMAND: Final = 0xC1
RESERVATION_LOST: Final = 0xC5
TOO_MUCH: Final = frozenset({0xC7, 0xC8, 0xC9, 0xCA, 0xFF})
"""How BMCs answer who asks for more bytes than they can send at once: 0xCA, and whatever else they were built with."""

COMPLETION_CODES: Final[Mapping[int, Meaning]] = {
    0xC0: Meaning(BMCBusy, "node busy"),
    INVALID_COMMAND: Meaning(BMCUnsupported, "invalid command"),
    0xC3: Meaning(BMCBusy, "timeout while processing the command"),
    0xC4: Meaning(BMCBusy, "out of space"),
    RESERVATION_LOST: Meaning(BMCBusy, "reservation cancelled"),
    0xC7: Meaning(BMCUnsupported, "invalid length of the request"),
    0xC8: Meaning(BMCUnsupported, "the request is too long"),
    0xC9: Meaning(BMCUnsupported, "parameter out of range"),
    0xCA: Meaning(BMCUnsupported, "that many bytes cannot be returned"),
    0xCB: Meaning(BMCUnsupported, "there is no such sensor, data or record"),
    0xCC: Meaning(BMCUnsupported, "invalid data field"),
    0xCE: Meaning(BMCBusy, "the response could not be provided"),
    0xD2: Meaning(BMCBusy, "firmware update or initialization in progress"),
    0xD4: Meaning(BMCCredentials, "insufficient privilege level"),
    0xD5: Meaning(BMCUnsupported, "not supported in the present state"),
    0xD6: Meaning(BMCUnsupported, "sub-function disabled"),
}
"""IPMI v2.0, table 5-2."""

COMMAND_CODES: Final[Mapping[tuple[int, int, int], Meaning]] = {
    (APP, 0x3B, 0x80): Meaning(BMCCredentials, "the privilege level is not available to this user"),
    (APP, 0x3B, 0x81): Meaning(BMCCredentials, "the privilege level exceeds the user's or the channel's limit"),
    (APP, 0x47, 0x80): Meaning(BMCCredentials, "the password differs"),
    (APP, 0x47, 0x81): Meaning(BMCCredentials, "the password is kept in the other size"),
    (STORAGE, 0x11, 0x81): Meaning(BMCBusy, "the FRU device is busy"),
    (STORAGE, 0x40, 0x81): Meaning(BMCBusy, "the event log is being erased"),
    (STORAGE, 0x42, 0x81): Meaning(BMCBusy, "the event log is being erased"),
    (CHASSIS, 0x08, 0x80): Meaning(BMCUnsupported, "boot option not supported"),
    (CHASSIS, 0x08, 0x81): Meaning(BMCBusy, "another party is setting boot options"),
    (CHASSIS, 0x08, 0x82): Meaning(BMCUnsupported, "boot option is read-only"),
    (CHASSIS, 0x09, 0x80): Meaning(BMCUnsupported, "boot option not supported"),
}
"""(network function, command, code) for codes that mean something else to each command (22.18, 22.30, 28.12, 28.13,
31.2, 31.4, 34.2)."""

STATUS_CIPHER_SUITE: Final = 0x11
"""No cipher suite match; also what we say of a BMC that agrees to another suite than the one proposed."""

STATUS_INTEGRITY: Final = 0x0F
"""Invalid integrity check value: what a BMC calls a wrong password, and what we call a wrong answer to ours."""

CIPHER_STATUSES: Final = frozenset({0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12})
"""Answers to an Open Session Request that another cipher suite may avoid."""

RMCP_STATUSES: Final[Mapping[int, Meaning]] = {
    0x01: Meaning(BMCBusy, "insufficient resources for another session"),
    0x04: Meaning(BMCCredentials, "invalid authentication algorithm"),
    0x05: Meaning(BMCCredentials, "invalid integrity algorithm"),
    0x06: Meaning(BMCCredentials, "no matching authentication payload"),
    0x07: Meaning(BMCCredentials, "no matching integrity payload"),
    0x09: Meaning(BMCCredentials, "invalid role"),
    0x0A: Meaning(BMCCredentials, "unauthorized role or privilege level"),
    0x0B: Meaning(BMCBusy, "insufficient resources for a session at the requested role"),
    0x0C: Meaning(BMCCredentials, "invalid name length"),
    0x0D: Meaning(BMCCredentials, "unauthorized name"),
    0x0E: Meaning(BMCCredentials, "unauthorized GUID"),
    0x0F: Meaning(BMCCredentials, "invalid integrity check value"),
    0x10: Meaning(BMCCredentials, "invalid confidentiality algorithm"),
    0x11: Meaning(BMCCredentials, "no cipher suite match"),
    0x12: Meaning(BMCCredentials, "illegal or unrecognized parameter"),
}
"""IPMI v2.0, table 13-15."""

ADVICE: Final[Mapping[type[BMCError], str]] = {
    BMCBusy: "Try again in a few seconds.",
    BMCCredentials: "Check ipmi_username, ipmi_password, ipmi_priv_level, ipmi_cipher_suite and ipmi_k_g.",
    BMCUnsupported: "This BMC cannot do it, or not now.",
    BMCFault: "Look at the BMC's own log.",
}
"""The second sentence of each message: what to do."""


def completion_error(netfn: int, command: int, code: int, *, where: Mapping[str, Any]) -> BMCError:
    """Return the error that a completion code is.

    Args:
        netfn: the request's network function.
        command: the request's command.
        code: the answer's completion code, not 0.
        where: node and address, for the details.
    """
    known = COMMAND_CODES.get((netfn, command, code)) or COMPLETION_CODES.get(code)
    meaning = known or Meaning(BMCFault, "an unexpected completion code")
    said = f"refused command {netfn:#04x} {command:#04x} with {code:#04x}, {meaning.text}"
    return _error(meaning, said, {**where, "completion_code": code})


def login_error(status: int, *, where: Mapping[str, Any]) -> BMCError:
    """Return the error that a BMC's RMCP+ status, not 0, is. The details name it as rmcp_status."""
    meaning = RMCP_STATUSES.get(status) or Meaning(BMCFault, "an unexpected status")
    return _error(meaning, f"refused the login with {status:#04x}, {meaning.text}", {**where, "rmcp_status": status})


def unable(what: str, *, where: Mapping[str, Any]) -> BMCUnsupported:
    """Return the error for what a BMC, as it is, cannot do."""
    return BMCUnsupported(f"{where['address']} {what}. {ADVICE[BMCUnsupported]}", details=where)


def nonsense(what: str, *, where: Mapping[str, Any]) -> BMCFault:
    """Return the error for an answer that makes no sense."""
    return BMCFault(f"{where['address']} {what}. {ADVICE[BMCFault]}", details=where)


def _error(meaning: Meaning, said: str, details: Mapping[str, Any]) -> BMCError:
    return meaning.error(f"{details['address']} {said}. {ADVICE[meaning.error]}", details=details)
