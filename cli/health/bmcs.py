"""What a BMC says to one who looks: presence, capabilities, cipher suites, a login with each, room for sessions."""

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from castiron.cli.health.findings import Finding, ok, problem, warning
from castiron.cli.output.faults import error_text
from castiron.transport.errors import BMCError

if TYPE_CHECKING:
    from castiron.actors.drivers.ipmi.probing.looking import Look
    from castiron.actors.drivers.ipmi.settings import Settings

MAX_ID: Final = 2**32 - 1

_NO_PASSWORD: Final = frozenset({0, 6, 11})
"""Suites without authentication or with a name alone (IPMI v2.0, table 22-20): 0 lets anybody in."""

_WANTED: Final = 17
_OWN: Final = frozenset({3, 17})

_SILENT: Final = "Check address, cable and network; UDP must get through. Is IPMI over LAN enabled in the BMC?"


def bmc_looked_at(driver_info: Mapping[str, Any], *, tries_login: bool) -> Iterator[Finding]:
    """Yield what is found of a BMC.

    Args:
        driver_info: where it is and how to log in, in Ironic's names.
        tries_login: a user was named.

    Raises:
        ArgumentInvalid: driver_info is wrong.
    """
    from castiron.actors.drivers.ipmi.probing.looking import Look  # noqa: PLC0415 - pyghmi: 100 ms
    from castiron.actors.drivers.ipmi.settings import read_settings  # noqa: PLC0415 - as above

    settings = read_settings(driver_info)
    rng = random.SystemRandom()
    try:
        with Look(settings, new_id=lambda: rng.randrange(1, MAX_ID)) as look:
            yield from _findings(look, settings, tries_login=tries_login)
    except BMCError as error:
        yield problem("bmc", error_text(error))


def _findings(look: "Look", settings: "Settings", *, tries_login: bool) -> Iterator[Finding]:
    presence, capabilities = look.presence(), look.capabilities()
    if presence is None and capabilities is None:
        yield problem("bmc", f"{settings.address} does not answer.", _SILENT)
        return
    if presence is None:
        yield warning(
            "bmc", f"{settings.address} does not answer a presence ping, but IPMI.", "Discovery will not find it."
        )
    else:
        yield ok("bmc", f"{settings.address} answers a presence ping")
    if capabilities is None or not capabilities.speaks_v20:
        told = f"{settings.address} does not offer IPMI 2.0 sessions."
        yield problem("ipmi", told, "Enable IPMI over LAN (RMCP+) in the BMC, or bring its firmware up to date.")
        return
    yield ok("ipmi", "IPMI 2.0 sessions are offered")
    yield from _openness(takes_anonymous=capabilities.takes_anonymous, takes_none=capabilities.takes_none)
    if capabilities.wants_k_g and settings.k_g is None:
        yield warning("k_g", "the BMC has a key of its own (K_g), and none is given.", "Give ipmi_k_g, or logins fail.")
    suites = look.cipher_suites()
    yield _suites_told(suites)
    if tries_login:
        yield from _login(look, settings)
    else:
        advice = "Name a user: --driver-info ipmi_username=… --driver-info ipmi_password=-"
        yield warning("login", "not tried.", advice)


def _openness(*, takes_anonymous: bool, takes_none: bool) -> Iterator[Finding]:
    if takes_anonymous:
        yield warning("users", "the BMC lets somebody without a name log in.", "Disable its users without a name.")
    if takes_none:
        yield warning("users", "the BMC takes IPMI 1.5 sessions without a password.", "Disable authentication NONE.")


def _suites_told(suites: list[int] | None) -> Finding:
    if suites is None:
        return warning("cipher suites", "the BMC does not say which it offers.", "The login below tells.")
    told = f"the BMC offers {', '.join(map(str, suites)) or 'none'}"
    if 0 in suites:
        return problem("cipher suites", f"{told}: with 0, anybody is let in without a password.", "Disable suite 0.")
    if not _OWN & set(suites):
        return problem("cipher suites", f"{told}; castiron speaks 17 and 3.", "Enable suite 17 in the BMC.")
    if _WANTED not in suites:
        return warning("cipher suites", f"{told}; 17 (SHA-256) is not among them.", "Bring its firmware up to date.")
    if found := _NO_PASSWORD & set(suites):
        weak = ", ".join(map(str, sorted(found)))
        return warning("cipher suites", f"{told}; {weak} need no password or hide nothing.", "Disable them.")
    return ok("cipher suites", told)


def _login(look: "Look", settings: "Settings") -> Iterator[Finding]:
    """Yield how a login went with the first suite that works, as a conductor would try them."""
    failures: list[BMCError] = []
    for suite in settings.cipher_suites:
        try:
            room = look.room(suite)
        except BMCError as error:
            failures.append(error)
            continue
        yield ok("login", f"{settings.username.decode()} is let in with cipher suite {suite}")
        yield _slots(room.slots, room.active)
        return
    yield problem("login", error_text(failures[0]))


def _slots(slots: int | None, active: int | None) -> Finding:
    if slots is None or active is None:
        return warning("sessions", "the BMC does not say how many there may be.", "A conductor needs one for itself.")
    told = f"{active} of {slots} in use, the one of this look among them"
    if active >= slots:
        advice = "Close others' sessions: a conductor needs one that it keeps; ipmi_session=on_demand gives it back."
        return warning("sessions", f"{told}: none is left.", advice)
    return ok("sessions", told)
