"""What a BMC is made of: settings, identity, machine, sessions. Handshake and commands work on it; no I/O."""

from dataclasses import dataclass, field
from random import Random
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from castiron.testing.bmc.chassis import Chassis
from castiron.testing.bmc.codes import Privilege
from castiron.testing.bmc.faults import Faults
from castiron.testing.bmc.wire.rmcp import Message
from castiron.testing.bmc.wire.session import Session, SessionTable
from castiron.testing.bmc.wire.suite import SUITES

MAX_NAME_BYTES: Final = 16
"""Longest user name (IPMI v2.0, 22.28)."""
MAX_PASSWORD_BYTES: Final = 20
"""Longest password and K_g (IPMI v2.0, 22.30 and 13.33)."""
MAX_SESSION_SLOTS: Final = 63
"""Get Session Info has six bits for the number of slots (22.20)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BMCSettings:
    """How a BMC was set up; one value serves any number of BMCs.

    Raises:
        ValueError: a value that no BMC could have.
    """

    username: str = "admin"
    """The one user that there is."""
    password: str = field(default="password", repr=False)
    """The user's password."""
    k_g: bytes = field(default=b"", repr=False)
    """The key that consoles need beside the password; empty for none, as on nearly all machines."""
    cipher_suites: tuple[int, ...] = (3, 17)
    """What the BMC offers; any other suite is refused."""
    privilege: Privilege = Privilege.ADMINISTRATOR
    """The highest level the user may ask for."""
    session_slots: int = 16
    """Sessions at the same time. Real ones have 4 to 16 or so; few enough to run out of."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 1 <= len(self.username.encode()) <= MAX_NAME_BYTES:
            raise ValueError(f"username must have 1 to {MAX_NAME_BYTES} bytes: {self.username!r}")
        if max(len(self.password.encode()), len(self.k_g)) > MAX_PASSWORD_BYTES:
            raise ValueError(f"password and k_g must have at most {MAX_PASSWORD_BYTES} bytes")
        if not self.cipher_suites or set(self.cipher_suites) - SUITES.keys():
            raise ValueError(f"cipher_suites must be of {sorted(SUITES)}: {self.cipher_suites!r}")
        if not 1 <= self.session_slots <= MAX_SESSION_SLOTS:
            raise ValueError(f"session_slots must be within 1 and {MAX_SESSION_SLOTS}: {self.session_slots!r}")


class Device:
    """The state of one BMC.

    Attributes:
        settings: how it was set up.
        faults: what is wrong with it; may be replaced at any time.
        rng: where its session ids, nonces and initialization vectors come from.
        guid: its identity, as it proves it in every login; made of its name.
        chassis: the machine it controls.
        sessions: who is logged in.
        login_count: how many logins have succeeded.
        command_count: how many commands were answered inside sessions.
    """

    __slots__ = ("chassis", "command_count", "faults", "guid", "login_count", "rng", "sessions", "settings")

    def __init__(self, name: str, settings: BMCSettings, rng: Random) -> None:
        self.settings = settings
        self.faults = Faults()
        self.rng = rng
        self.guid = uuid5(NAMESPACE_OID, name).bytes[::-1]  # least significant byte first (20.8)
        self.chassis = Chassis()
        self.sessions = SessionTable(settings.session_slots)
        self.login_count = 0
        self.command_count = 0

    @property
    def password(self) -> bytes:
        """The password by which it judges a login: not the one of its settings if that is its fault."""
        told = self.settings.password.encode()
        return b"not " + told if self.faults.wrong_password else told

    def lies(self) -> bool:
        """Return whether the power state at hand is to be told wrong. Uses up a lie."""
        is_lie = self.faults.wrong_power_count > 0
        if is_lie:
            self.faults = self.faults.without_a_lie()
        return is_lie

    def refuses(self, message: Message, session: Session) -> bytes | None:
        """Return the completion code that a command is to be refused with, or None. Uses up a refusal."""
        refusal = self.faults.refusal
        if refusal is None or not refusal.meets(message.netfn, message.command, in_session=session.seal is not None):
            return None
        self.faults = self.faults.without_a_refusal()
        return bytes((refusal.code,))
