"""driver_info of the `ipmi` driver: Ironic's names, checked once, and the settings that the engine works with. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from castiron.actors.drivers.base import DriverInfo
from castiron.actors.drivers.fields import Field, checked, number, one_of, secrets, text, whole_number
from castiron.actors.drivers.ipmi.wire.address import spell_address, spell_host

DEFAULT_PORT: Final = 623
"""RMCP's port, as assigned (IPMI v2.0, 13.1.2)."""

MAX_USERNAME_BYTES: Final = 16
"""IPMI v2.0, 22.28 Set User Name."""

MAX_KEY_BYTES: Final = 20
"""IPMI v2.0, 22.30 Set User Password, and 13.33 for K_g."""

MAX_INTERVAL_S: Final = 60.0
"""A session is gone after about a minute without a command."""

PRIVILEGES: Final[Mapping[str, int]] = {"ADMINISTRATOR": 4, "OPERATOR": 3, "USER": 2}
"""IPMI v2.0, 13.17 RMCP+ Open Session Request. Chassis control needs OPERATOR, reading power USER."""

CIPHER_SUITES: Final = (17, 3)
"""Tried in this order (IPMI v2.0 errata 7, table 22-20): SHA-256, then SHA-1 where a BMC has nothing better."""


def _key(value: Any) -> str:
    """Read K_g: 40 hexadecimal digits, or 0x and an even number of them (as ipmitool -y), or text (as ipmitool -k)."""
    wanted = f"at most {MAX_KEY_BYTES} bytes: hexadecimal digits after 0x, 40 hexadecimal digits, or text"
    try:
        if len(_key_bytes(value)) <= MAX_KEY_BYTES:
            return str(value)
    except (AttributeError, TypeError, ValueError):
        pass
    raise ValueError(wanted)


def _key_bytes(value: str) -> bytes:
    if value.startswith(("0x", "0X")):
        return bytes.fromhex(value[2:])
    return bytes.fromhex(value) if len(value) == MAX_KEY_BYTES * 2 else value.encode()


FIELDS: Final[Mapping[str, Field]] = {
    "ipmi_address": Field(spell_host, required=True),
    "ipmi_port": Field(whole_number(1, 65535)),
    "ipmi_username": Field(text(MAX_USERNAME_BYTES)),
    "ipmi_password": Field(text(MAX_KEY_BYTES), secret=True),
    "ipmi_cipher_suite": Field(lambda value: int(one_of("3", "17")(str(value)))),
    "ipmi_priv_level": Field(one_of(*PRIVILEGES)),
    "ipmi_k_g": Field(_key, secret=True),
    "ipmi_session": Field(one_of("persistent", "on_demand")),
    "min_command_interval_s": Field(number(0, MAX_INTERVAL_S)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the engine needs to reach one BMC. Two nodes with equal settings could share a session."""

    host: str
    port: int
    username: bytes
    password: bytes = field(repr=False)
    k_g: bytes | None = field(repr=False)
    """None where the BMC has no K_g; the password then takes its place (13.31)."""
    cipher_suites: tuple[int, ...]
    """In the order in which they are tried."""
    privilege: int
    on_demand: bool
    """Log out as soon as nothing is left to ask."""
    min_command_interval_s: float

    @property
    def address(self) -> str:
        """Host and port as one word."""
        return spell_address(self.host, self.port)


def check(driver_info: Mapping[str, Any]) -> DriverInfo:
    """Check driver_info whole. Pure.

    Raises:
        ArgumentInvalid: see `fields.checked`.
    """
    info = checked(FIELDS, driver_info)
    address = spell_address(info["ipmi_address"], info.get("ipmi_port", DEFAULT_PORT))
    return DriverInfo(info=info, secret_keys=secrets(FIELDS), bmc_address=address)


def read_settings(driver_info: Mapping[str, Any]) -> Settings:
    """Return the settings that driver_info says, defaults filled in. Pure.

    Raises:
        ArgumentInvalid: driver_info would not pass `check`.
    """
    info = checked(FIELDS, driver_info)
    suite = info.get("ipmi_cipher_suite")
    k_g = _key_bytes(info.get("ipmi_k_g", ""))
    return Settings(
        host=info["ipmi_address"],
        port=info.get("ipmi_port", DEFAULT_PORT),
        username=info.get("ipmi_username", "").encode(),
        password=info.get("ipmi_password", "").encode(),
        k_g=k_g or None,
        cipher_suites=CIPHER_SUITES if suite is None else (suite,),
        privilege=PRIVILEGES[info.get("ipmi_priv_level", "ADMINISTRATOR")],
        on_demand=info.get("ipmi_session") == "on_demand",
        min_command_interval_s=info.get("min_command_interval_s", 0.0),
    )
