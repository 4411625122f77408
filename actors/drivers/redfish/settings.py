"""driver_info of the `redfish` driver: Ironic's names, checked once, and the settings that come of it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from castiron.actors.drivers.base import DriverInfo
from castiron.actors.drivers.fields import Field, checked, one_of, secrets, text
from castiron.actors.drivers.ipmi.wire.address import spell_address, spell_host
from castiron.transport.errors import ArgumentInvalid

DEFAULT_PORT: Final = 443

MAX_TEXT_BYTES: Final = 256
"""Of a user name and a password: more than any BMC takes."""

MAX_PATH_BYTES: Final = 1024
"""Of the path of a resource, and of a file."""

FINGERPRINT_DIGITS: Final = 64
"""SHA-256, in hexadecimal."""

_RESOURCE: Final = re.compile(r"/redfish/v1/[A-Za-z0-9._~!$&'()*+,;=:@%/-]+")
_TRUTHS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def _address(value: Any) -> str:
    """Read "bmc1", "bmc1:8443", "https://bmc1:8443": https is the only scheme, and nothing may follow the port."""
    wanted = "a host, host:port, or https://host:port; http would send the password for all to read"
    if not isinstance(value, str):
        raise ValueError(wanted)  # noqa: TRY004 - one kind of error from all readers
    spelled = value.strip()
    try:
        # A bare IPv6 address has no brackets.
        bare = spell_host(spelled)
    except ValueError:
        parts = _split(spelled if "://" in spelled else f"https://{spelled}", wanted)
        host, port = spell_host(parts.hostname or ""), parts.port or DEFAULT_PORT
    else:
        host, port = bare, DEFAULT_PORT
    return f"https://{spell_address(host, port)}"


def _split(url: str, wanted: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(wanted) from None
    is_plain = parts.path in {"", "/"} and not parts.query and not parts.fragment and parts.username is None
    if parts.scheme.lower() != "https" or not is_plain or port == 0:
        raise ValueError(wanted)
    return parts


def _resource(value: Any) -> str:
    spelled = value.rstrip("/") if isinstance(value, str) else ""
    if not _RESOURCE.fullmatch(spelled) or len(spelled) > MAX_PATH_BYTES or "/../" in f"{spelled}/":
        raise ValueError("the path of a system, such as /redfish/v1/Systems/1")
    return spelled


def _verify(value: Any) -> bool | str:
    """Read true, false, or the absolute path of a file or folder with the authorities that sign the BMCs."""
    if isinstance(value, bool):
        return value
    word = value.strip() if isinstance(value, str) else ""
    truth = _TRUTHS.get(word.lower())
    if truth is not None:
        return truth
    if not word.startswith("/") or "\0" in word or len(word.encode()) > MAX_PATH_BYTES:
        raise ValueError("true, false, or the absolute path of a file or folder with CA certificates (PEM)")
    return word


def _fingerprint(value: Any) -> str:
    """Read 64 hexadecimal digits, colons between them or not, as `openssl x509 -fingerprint -sha256` prints them."""
    digits = value.strip().lower().removeprefix("sha256:").replace(":", "") if isinstance(value, str) else ""
    if len(digits) != FINGERPRINT_DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise ValueError("the SHA-256 of the BMC's certificate (DER): 64 hexadecimal digits, colons between or not")
    return digits


FIELDS: Final[Mapping[str, Field]] = {
    "redfish_address": Field(_address, required=True),
    "redfish_system_id": Field(_resource),
    "redfish_username": Field(text(MAX_TEXT_BYTES)),
    "redfish_password": Field(text(MAX_TEXT_BYTES), secret=True),
    "redfish_verify_ca": Field(_verify),
    "redfish_fingerprint": Field(_fingerprint),
    "redfish_auth_type": Field(one_of("auto", "session", "basic")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the driver needs to reach one BMC."""

    host: str
    port: int
    system: str | None
    """The path of the machine's system; None: the only one that the BMC has."""
    username: str
    password: str = field(repr=False)
    verify: bool | str
    """Whether a certificate must be signed by an authority that is known; text: by one of this file or folder."""
    fingerprint: str | None
    """SHA-256 of the only certificate that is right; then nothing else of it counts."""
    auth: str
    """"session", "basic", or "auto": a session where the BMC has such."""

    @property
    def address(self) -> str:
        """Host and port as one word."""
        return spell_address(self.host, self.port)


def check(driver_info: Mapping[str, Any]) -> DriverInfo:
    """Check driver_info whole. Pure.

    Raises:
        ArgumentInvalid: see `fields.checked`; or a fingerprint and redfish_verify_ca are given together.
    """
    info = checked(FIELDS, driver_info)
    if "redfish_fingerprint" in info and "redfish_verify_ca" in info:
        message = "driver_info has redfish_fingerprint and redfish_verify_ca. Set one: a fingerprint decides alone."
        raise ArgumentInvalid(message, details={"path": "$.driver_info.redfish_fingerprint"})
    # Several machines may share one BMC, as blades do; each is a system of its own.
    where = info["redfish_address"].removeprefix("https://") + info.get("redfish_system_id", "")
    return DriverInfo(info=info, secret_keys=secrets(FIELDS), bmc_address=where)


def read_settings(driver_info: Mapping[str, Any]) -> Settings:
    """Return the settings that driver_info says, defaults filled in. Pure.

    Raises:
        ArgumentInvalid: driver_info would not pass `check`.
    """
    info = check(driver_info).info
    parts = urlsplit(str(info["redfish_address"]))
    return Settings(
        host=parts.hostname or "",
        port=parts.port or DEFAULT_PORT,
        system=info.get("redfish_system_id"),
        username=info.get("redfish_username", ""),
        password=info.get("redfish_password", ""),
        verify=info.get("redfish_verify_ca", True),
        fingerprint=info.get("redfish_fingerprint"),
        auth=info.get("redfish_auth_type", "auto"),
    )
