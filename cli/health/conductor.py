"""What a conductor needs before it starts, or has while it runs: settings, store, keys, a free endpoint, time, files.

Each check looks at one thing, changes nothing, and says what it saw; none of them ends the others.
"""

import errno
import os
import resource
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from castiron.cli.conductor.settings import CONDUCTOR, configured, read_settings
from castiron.cli.configuration import Configuration, chosen, default_store, expanded
from castiron.cli.descriptors import NEEDED
from castiron.cli.health.findings import Finding, ok, problem, warning
from castiron.cli.logs import FORMATS, LEVELS
from castiron.cli.options import Shared
from castiron.cli.output.faults import Stop, error_text, sentence
from castiron.cli.output.render import clock_time, length
from castiron.cli.reach import own_name
from castiron.transport.clients.blocking.client import Client
from castiron.transport.endpoint import Endpoint, default_endpoint, parse_endpoint, probe
from castiron.transport.errors import CastironError, EndpointRefused, KeyUnusable

LEAST_FREE_BYTES: Final = 256 << 20
"""Of a disk: the log of events, requests and histories of a large fleet at their bounds, twice."""

AHEAD_S: Final = 1.0
"""How far an event may lie in the future: less than what a clock that is set in steps is off by."""

ANSWER_S: Final = 3.0
"""How long a conductor that listens may take to say how it is."""

BUILT_AT: Final = 1_767_225_600.0
"""2026-01-01: a clock that shows less has never been set."""


def looked_at(config: Path | None, settings: tuple[str, ...], given: Shared) -> Iterator[Finding]:
    """Yield what is found of a conductor that these options would start.

    Args:
        config: as for `castiron serve`.
        settings: NAME=VALUE each, likewise.
        given: the shared options: the endpoint, and the keys to speak to it.
    """
    try:
        configuration = configured(config, {"listen": given.endpoint}, settings)
        read_settings(configuration.settings)
        chosen(configuration, "log_level", LEVELS, CONDUCTOR["log_level"][0])
        chosen(configuration, "log_format", FORMATS, CONDUCTOR["log_format"][0])
    except Stop as wrong:
        yield problem("settings", wrong.message, "`castiron settings` lists them with their bounds.")
        configuration = Configuration()
    else:
        yield ok("settings", _settings_told(configuration, config))
    yield from _files(configuration)
    yield from _store(configuration)
    yield from _endpoint(configuration, given)
    yield _descriptors()


def _settings_told(configuration: Configuration, config: Path | None) -> str:
    where = "no file" if config is None else str(config)
    return f"{len(configuration.sources)} given ({where}, environment and options), the others at their defaults"


def _files(configuration: Configuration) -> Iterator[Finding]:
    """Yield what is found of the files that settings name."""
    for name in ("alarm_rules_file", "webhook_key_file"):
        given = configuration.settings.get(name)
        if given is None or not given.value:
            continue
        path = Path(str(given.value))
        if not os.access(path, os.R_OK):
            yield problem(name, f"{path} cannot be read.", f"Make it, or change {name}.")
        elif name == "webhook_key_file" and path.stat().st_mode & 0o077:
            yield problem(name, f"{path} is open to others.", f"chmod 600 {path}")
        else:
            yield ok(name, f"{path}")


# The store, its key, and the time.


def _store(configuration: Configuration) -> Iterator[Finding]:
    from castiron.store.errors import SecretsUnreadable, StoreError  # noqa: PLC0415 - peewee and cryptography: 100 ms
    from castiron.store.examination import examine  # noqa: PLC0415 - as above

    places = configuration.places
    path = expanded(Path(places["store"])) if "store" in places else default_store(os.environ)
    key_path = expanded(Path(places["key_file"])) if "key_file" in places else None
    if "store" not in places and not path.parent.exists():
        yield ok("store", f"{path} is not there yet; `castiron serve` makes it.")
        yield _clock(None)
        return
    try:
        examined = examine(path, key_path)
    except SecretsUnreadable as error:
        yield problem("key file", sentence(error))
    except StoreError as error:
        yield problem("store", sentence(error))
    else:
        if examined is None:
            yield _place_for_store(path)
            yield _clock(None)
        else:
            yield _schema(path, examined.schema_version, examined.newest_version)
            yield ok("key file", "there, closed to others, and the store's")
            yield _clock(examined.latest_event_at)
    yield from _disk(path.parent)


def _place_for_store(path: Path) -> Finding:
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return problem(
            "store", f"{path} cannot be made.", f"Let this user write to {path.parent}, or name another place."
        )
    return ok("store", f"{path} is not there yet; `castiron serve` makes it.")


def _schema(path: Path, version: int, newest: int) -> Finding:
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        told = f"{path} cannot be written by this user"
        return problem("store", f"{told}.", "Run as the conductor's user, or change its owner.")
    if version < newest:
        told = f"{path} has schema {version}, this castiron writes {newest}: a start brings it up to date for good."
        return warning("store", told, "Make a copy first: `castiron store backup FILE`.")
    return ok("store", f"{path}, schema {version}; `castiron store check` reads all of it")


def _disk(folder: Path) -> Iterator[Finding]:
    with suppress(OSError):  # no folder yet
        free_bytes = shutil.disk_usage(folder).free
        told = f"{free_bytes / (1 << 30):,.1f} GiB free at {folder}"
        if free_bytes < LEAST_FREE_BYTES:
            yield warning("disk", told, "Make room: a conductor whose disk is full refuses changes.")
        else:
            yield ok("disk", told)


def _clock(latest_at: float | None) -> Finding:
    now = time.time()
    if now < BUILT_AT:
        return problem("clock", f"it is {clock_time(now)} here.", "Set the clock, and keep it with NTP.")
    if latest_at is not None and latest_at > now + AHEAD_S:
        told = f"the store's latest event is {length(latest_at - now)} ahead of this machine's clock."
        return problem("clock", told, "Set the clock, and keep it with NTP: deadlines and histories go by it.")
    return ok("clock", f"{clock_time(now)}, not before the store's latest event")


# The endpoint.


def _endpoint(configuration: Configuration, given: Shared) -> Iterator[Finding]:
    text = configuration.places.get("listen") or default_endpoint(os.environ)
    try:
        endpoint = parse_endpoint(text)
    except EndpointRefused as error:
        yield problem("endpoint", error.message)
        return
    failure = probe(endpoint)
    if failure is None:
        yield _answering(endpoint, given)
    elif isinstance(failure, PermissionError):
        told = f"{endpoint}: this user may not open the socket."
        yield problem("endpoint", told, "Run as the conductor's user.")
    else:
        yield _place_for_socket(endpoint) if endpoint.is_ipc else _free_port(endpoint)
        yield from _keys(configuration, endpoint)


def _answering(endpoint: Endpoint, given: Shared) -> Finding:
    try:
        client = Client(
            str(endpoint),
            timeout_s=ANSWER_S,
            patience_s=ANSWER_S,
            key=given.key,
            server_key=given.server_key,
            name=own_name(),
        )
        with client:
            view = client.status()
    except CastironError as error:
        return problem("endpoint", error_text(error))
    state = view.store.state
    told = f"{endpoint}: conductor {view.conductor} answers, castiron {view.version}, up {length(view.uptime_s)}"
    if state not in {"unknown", "ok"}:
        return problem("endpoint", f"{told}; it cannot write its store: {state}.", "See `castiron status`.")
    return ok("endpoint", told)


def _place_for_socket(endpoint: Endpoint) -> Finding:
    path = Path(endpoint.path or "")
    folder = next((one for one in path.parents if one.exists()), path.parent)
    if not os.access(folder, os.W_OK | os.X_OK):
        told = f"{endpoint} cannot be made: this user may not write to {folder}."
        return problem("endpoint", told, "Name another place with --listen, or change the folder's owner.")
    return ok("endpoint", f"{endpoint} is free: no conductor runs there")


def _free_port(endpoint: Endpoint) -> Finding:
    """Say whether both ports could be listened at: messages, and events above."""
    for one in (endpoint, endpoint.of_events()):
        with socket.socket(socket.AF_INET6 if one.is_ipv6 else socket.AF_INET, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((one.address, one.port))
            except OSError as failure:
                told = f"{one} cannot be listened at: {failure.strerror}."
                is_taken = failure.errno == errno.EADDRINUSE
                advice = "Another program has the port: choose another one." if is_taken else "Is it this machine's?"
                return problem("endpoint", told, advice)
    return ok("endpoint", f"{endpoint} is free: no conductor runs there")


def _keys(configuration: Configuration, endpoint: Endpoint) -> Iterator[Finding]:
    """Yield whether the keys are there that an endpoint needs."""
    from castiron.transport.doors.guard import open_guard  # noqa: PLC0415 - what only a conductor loads otherwise

    places = configuration.places
    server_key = expanded(Path(places["server_key_file"])) if "server_key_file" in places else None
    allow = expanded(Path(places["allow_file"])) if "allow_file" in places else None
    store = expanded(Path(places["store"])) if "store" in places else default_store(os.environ)
    try:
        guard = open_guard(endpoint, server_key_path=server_key, allow_path=allow, store=store)
    except (EndpointRefused, KeyUnusable) as error:
        yield problem("keys", error.message)
        return
    if guard is not None:
        yield ok("keys", "the conductor's secret key and the allow-list can be read, and are closed to others")


def _descriptors() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < NEEDED:
        told = f"this user's processes may open {hard} files and sockets, where all clients together need {NEEDED}."
        return warning("descriptors", told, "Raise `ulimit -Hn`, or LimitNOFILE= in a systemd unit.")
    return ok("descriptors", f"a process may open {'any number' if hard == resource.RLIM_INFINITY else hard}")
