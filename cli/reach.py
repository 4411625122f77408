"""How a command reaches its conductor: one look whether somebody listens, then the client."""

import getpass
import logging
import os
from collections.abc import Mapping
from typing import Final

import castiron
from castiron.cli.options import LOG_VARIABLE, Shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.face import TIMEOUT_S
from castiron.transport.endpoint import Endpoint, default_endpoint, parse_endpoint, probe, why_silent
from castiron.transport.errors import ConductorLost, EndpointRefused
from castiron.transport.keys.protection import client_keys
from castiron.transport.vocabulary import Applied

SERVICE: Final = "ipc:///run/castiron/conductor.ipc"
"""Where the conductor of deploy/castiron.service listens."""


def connect(shared: Shared, *, timeout_s: float | None = None) -> Client:
    """Return a client of the conductor that the shared options name.

    A client alone would wait for its whole time-out for somebody to listen, since a conductor may be restarting; a
    person who has just typed a command is told at once.

    Args:
        shared: where, and how long to wait for answers.
        timeout_s: for each answer, instead of --timeout.

    Raises:
        EndpointRefused: castiron does not talk there, or not without keys, or not with them.
        KeyUnusable: a key file cannot be used.
        ConductorLost: nobody listens there.
        Stop: CASTIRON_LOG is none of its words.
    """
    _log(shared.verbosity, os.environ)
    endpoint = shared.endpoint or default_endpoint(os.environ)
    place = parse_endpoint(endpoint)
    _refuse_idle_keys(place, shared)
    client_keys(place, shared.key, shared.server_key, os.environ)  # before anybody is connected to
    if (absent := absence(endpoint)) is not None:
        raise absent
    patience_s = timeout_s or shared.timeout_s or TIMEOUT_S
    return Client(
        endpoint,
        timeout_s=patience_s,
        patience_s=patience_s,
        key=shared.key,
        server_key=shared.server_key,
        name=own_name(),
    )


def own_name() -> str:
    """Return what this command calls itself: the program, and the person who types, also behind sudo."""
    try:
        person = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        person = str(os.getuid())
    return f"castiron/{castiron.__version__} {person}"


def absence(endpoint: str, *, service: str = SERVICE) -> ConductorLost | None:
    """Return what to say if nobody listens there now; None if somebody does.

    Args:
        endpoint: where to look.
        service: where else one may be that was meant.
    """
    place = parse_endpoint(endpoint)
    if probe(place) is None:
        return None
    message = f"No conductor at {place}. {why_silent(place)}{_other(place, parse_endpoint(service))}"
    return ConductorLost(message, details={"endpoint": str(place)}, applied=Applied.NO)


def _other(place: Endpoint, service: Endpoint) -> str:
    """Say where a conductor runs as a service: those who installed it so look for it at their own socket first."""
    if place == service or not isinstance(probe(service), PermissionError | None):
        return ""
    return f" One that runs as a service listens at {service}."


def _refuse_idle_keys(place: Endpoint, shared: Shared) -> None:
    """Refuse keys that were typed for a Unix socket: whoever types them means a conductor elsewhere."""
    if place.is_ipc and (shared.key or shared.server_key):
        message = (
            f"{place} is a Unix socket, which takes no keys. Name the conductor that takes them with --endpoint, or "
            "leave --key and --server-key out."
        )
        raise EndpointRefused(message, details={"endpoint": str(place)})


def _log(verbosity: int, environment: Mapping[str, str]) -> None:
    level = {0: _level(environment), 1: logging.INFO}.get(verbosity, logging.DEBUG)
    logging.basicConfig(level=level, format="castiron: %(levelname)s %(name)s: %(message)s")


def _level(environment: Mapping[str, str]) -> int:
    word = environment.get(LOG_VARIABLE, "").lower()
    if not word:
        return logging.ERROR
    from castiron.cli.logs import LEVELS  # noqa: PLC0415 - nobody else here needs json and a thread

    if word not in LEVELS:
        raise Stop(f"{LOG_VARIABLE} is one of {', '.join(LEVELS)}; not {word!r}.", Exit.CONFIGURATION)
    return LEVELS[word]
