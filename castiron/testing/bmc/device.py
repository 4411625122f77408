"""What a BMC is made of: settings, identity, machine, sessions. Handshake and commands work on it; no I/O."""

from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from castiron.testing.bmc.chassis import Chassis
from castiron.testing.bmc.codes import Privilege
from castiron.testing.bmc.contents.records import Repository
from castiron.testing.bmc.contents.sel import EventLog
from castiron.testing.bmc.contents.users import User, Users
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
    """The user that there is at first."""
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
        users: who may log in.
        repository: its inventory, and the records of its sensors.
        log: its event log.
        reset_s: how long it is silent after a Cold or Warm Reset over IPMI.
        reset_count: how often it was restarted.
        silent_until: it hears nothing before this instant.
        login_count: how many logins have succeeded.
        command_count: how many commands were answered inside sessions.
    """

    __slots__ = (
        "chassis",
        "command_count",
        "faults",
        "guid",
        "log",
        "login_count",
        "repository",
        "reset_count",
        "reset_s",
        "rng",
        "sessions",
        "settings",
        "silent_until",
        "users",
    )

    def __init__(self, name: str, settings: BMCSettings, rng: Random) -> None:
        self.settings = settings
        self.faults = Faults()
        self.rng = rng
        self.guid = uuid5(NAMESPACE_OID, name).bytes[::-1]  # least significant byte first (20.8)
        self.chassis = Chassis()
        self.sessions = SessionTable(settings.session_slots)
        self.users = Users(User(settings.username.encode(), settings.password.encode(), settings.privilege))
        self.repository = Repository(name)
        self.log = EventLog()
        self.reset_s = 0.0
        self.reset_count = 0
        self.silent_until = -inf
        self.login_count = 0
        self.command_count = 0

    def password_of(self, username: bytes) -> bytes:
        """Return the password by which it judges a user's login: not the user's own if that is its fault."""
        user = self.users.find(username)
        password = b"" if user is None else user.password
        return b"not " + password if self.faults.wrong_password else password

    def restart(self, silent_until: float) -> None:
        """Restart the BMC, not the machine: every session is forgotten, and nothing heard before this instant."""
        self.sessions.clear()
        self.reset_count += 1
        self.silent_until = silent_until

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
