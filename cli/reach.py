"""How a command reaches its conductor: one look whether somebody listens, then the client."""

import getpass
import logging
import os

import castiron
from castiron.cli.options import Shared
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.face import TIMEOUT_S
from castiron.transport.endpoint import default_endpoint, parse_endpoint, probe, why_silent
from castiron.transport.errors import ConductorLost
from castiron.transport.keys.protection import client_keys
from castiron.transport.vocabulary import Applied


def connect(shared: Shared, *, timeout_s: float | None = None) -> Client:
    """Return a client of the conductor that the shared options name.

    A client alone would wait for its whole time-out for somebody to listen, since a conductor may be restarting; a
    person who has just typed a command is told at once.

    Args:
        shared: where, and how long to wait for answers.
        timeout_s: for each answer, instead of --timeout.

    Raises:
        EndpointRefused: castiron does not talk there, or not without keys.
        KeyUnusable: a key file cannot be used.
        ConductorLost: nobody listens there.
    """
    _log(shared.verbosity)
    endpoint = shared.endpoint or default_endpoint(os.environ)
    client_keys(parse_endpoint(endpoint), shared.key, shared.server_key, os.environ)  # before anybody is connected to
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


def absence(endpoint: str) -> ConductorLost | None:
    """Return what to say if nobody listens there now; None if somebody does."""
    place = parse_endpoint(endpoint)
    if probe(place) is None:
        return None
    message = f"No conductor at {place}. {why_silent(place)}"
    return ConductorLost(message, details={"endpoint": str(place)}, applied=Applied.NO)


def _log(verbosity: int) -> None:
    level = {0: logging.ERROR, 1: logging.INFO}.get(verbosity, logging.DEBUG)
    logging.basicConfig(level=level, format="castiron: %(levelname)s %(name)s: %(message)s")
