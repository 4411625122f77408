"""What a conductor is told at its start: from a TOML file, the environment and the command line, in rising order.

    castiron.toml                     environment                                 command line
    [conductor]
    store = "/var/lib/castiron.db"    CASTIRON_STORE                              --store
    key_file = "/etc/castiron.key"    CASTIRON_KEY_FILE                           --key-file
    listen = "tcp://127.0.0.1:5570"   CASTIRON_ENDPOINT                           --listen
    server_key_file = "/etc/c.secret" CASTIRON_SERVER_KEY_FILE                    --server-key-file
    allow_file = "/etc/c.allow.json"  CASTIRON_ALLOW_FILE                         --allow-file
    log_level = "info"                CASTIRON_LOG                                --log-level
    log_format = "text"               CASTIRON_LOG_FORMAT                         --log-format
    [settings]
    command_timeout_s = 10            CASTIRON_COMMAND_TIMEOUT_S                  --set command_timeout_s=10

Only names are judged here, and where a value came from is kept; what a setting may hold is the conductor's to say.
"""

import difflib
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from castiron.cli.nodes.pacing import CONFIRM_VARIABLE
from castiron.cli.options import LOG_VARIABLE
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.transport.endpoint import CLIENT_KEY_VARIABLE, SERVER_KEY_VARIABLE

PREFIX: Final = "CASTIRON_"

PLACES: Final[Mapping[str, str]] = {
    "store": "CASTIRON_STORE",
    "key_file": "CASTIRON_KEY_FILE",
    "listen": "CASTIRON_ENDPOINT",
    "server_key_file": "CASTIRON_SERVER_KEY_FILE",
    "allow_file": "CASTIRON_ALLOW_FILE",
    "log_level": LOG_VARIABLE,
    "log_format": "CASTIRON_LOG_FORMAT",
}
"""Name in the [conductor] table → environment variable."""

TABLES: Final = ("conductor", "settings")
"""Of the file."""

OF_CLIENTS: Final = frozenset({CLIENT_KEY_VARIABLE, SERVER_KEY_VARIABLE, CONFIRM_VARIABLE})
"""Variables that mean something to clients only; whoever runs both has them set."""

DEFAULT: Final = "default"
"""Where a value comes from that nobody gave."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value, and where it came from."""

    value: Any
    origin: str
    is_text: bool
    """It comes from the environment or the command line, and is a number only once it has been read as one."""


@dataclass(slots=True)
class Configuration:
    """What was given; what was not is missing."""

    places: dict[str, str] = field(default_factory=dict[str, str])
    """Name in the [conductor] table → text."""
    settings: dict[str, Given] = field(default_factory=dict[str, Given])
    sources: dict[str, str] = field(default_factory=dict[str, str])
    """Name of a place or a setting → where its value comes from, as "environment CASTIRON_STORE"."""

    def source(self, name: str) -> str:
        """Return where the value of a place or a setting comes from."""
        return self.sources.get(name, DEFAULT)

    def add_file(self, path: Path) -> None:
        """Take in a TOML file.

        Raises:
            Stop: it cannot be read, is not TOML, or holds a table or a name that does not exist.
        """
        tables = _parsed(path)
        for table, content in tables.items():
            _check_table(path, table, content)
        for name, value in _table(path, tables, "conductor").items():
            _check_name(f"{path}: [conductor]", name, PLACES, more=" Settings stand in the table [settings].")
            if not isinstance(value, str):
                _refuse(f"{path}: [conductor] {name} is not text. Put it in quotes.")
            self.places[name] = value
            self.sources[name] = f"file {path}"
        for name, value in _table(path, tables, "settings").items():
            self.settings[name] = Given(value, f"{path}: ", is_text=False)
            self.sources[name] = f"file {path}"

    def add_environment(self, environment: Mapping[str, str], setting_names: Collection[str]) -> None:
        """Take in the variables that begin with CASTIRON_.

        Args:
            environment: `os.environ`, or what a test wants it to be.
            setting_names: what may follow the prefix, in lower case.

        Raises:
            Stop: one of them means nothing.
        """
        known = {*PLACES.values(), *(PREFIX + name.upper() for name in setting_names)}
        places = {variable: name for name, variable in PLACES.items()}
        for variable, text in environment.items():
            if not variable.startswith(PREFIX) or variable in OF_CLIENTS:
                continue
            _check_name("the environment variable", variable, known)
            name = places.get(variable, variable.removeprefix(PREFIX).lower())
            if variable not in places:
                self.settings[name] = Given(text, f"{variable}: ", is_text=True)
            elif text:
                self.places[name] = text
            else:
                continue
            self.sources[name] = f"environment {variable}"

    def add_flags(self, places: Mapping[str, str | None], settings: Iterable[str]) -> None:
        """Take in the command line.

        Args:
            places: names of the [conductor] table; None where they were not given.
            settings: NAME=VALUE each.
        """
        given = {name: value for name, value in places.items() if value is not None}
        self.places |= given
        self.sources |= {name: f"option --{name.replace('_', '-')}" for name in given}
        for text in settings:
            name, separator, value = text.partition("=")
            if not separator:
                _refuse(f"--set takes NAME=VALUE; {text!r} has no equals sign.")
            self.settings[name] = Given(value, "--set ", is_text=True)
            self.sources[name] = "option --set"


def chosen(given: Configuration, name: str, words: Collection[str], default: str) -> str:
    """Return a place whose value is one of some words.

    Raises:
        Stop: it is another one.
    """
    word = given.places.get(name, default).lower()
    if word not in words:
        raise Stop(f"{given.source(name)}: {name} is one of {', '.join(words)}; not {word!r}.", Exit.CONFIGURATION)
    return word


def default_store(environment: Mapping[str, str]) -> Path:
    """Return where the store is when nobody said: castiron/castiron.db in $XDG_STATE_HOME, else in ~/.local/state."""
    state = environment.get("XDG_STATE_HOME")
    home = Path(environment.get("HOME") or "~").expanduser()
    return (Path(state) if state else home / ".local" / "state") / "castiron" / "castiron.db"


def store_of(given: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the store that a command is about: the one named, else the one that `castiron serve` would use."""
    named = environment.get(PLACES["store"])
    return expanded(given or (Path(named) if named else default_store(environment)))


def key_file_of(given: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Return the key file that a command is about, as `store_of`; None: the one beside the store."""
    named = environment.get(PLACES["key_file"])
    path = given or (Path(named) if named else None)
    return None if path is None else expanded(path)


def expanded(path: Path) -> Path:
    """Return a path with ~ and ~user as the folders that they stand for.

    Raises:
        Stop: there is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise Stop(
            f"{path}: there is no such user, or it has no folder of its own. Write the path out.", Exit.USAGE
        ) from None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as failure:
        raise Stop(f"Cannot read {path}: {failure.strerror}.", Exit.NOT_FOUND) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise Stop(f"{path} is not TOML: {failure}.", Exit.CONFIGURATION) from None


def _check_table(path: Path, name: str, content: object) -> None:
    """Refuse what is no table of ours; a line that no table's name stands above is told where it may belong."""
    if name in TABLES or isinstance(content, dict):
        _check_name(f"{path}: the table", name, TABLES)
    else:
        home = "[conductor]" if name in PLACES else "[settings]"
        _refuse(f"{path}: {name} stands in no table. Write {home} on a line of its own above it.")


def _table(path: Path, tables: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        _refuse(f"{path}: {name} is not a table. Write [{name}] on a line of its own.")
    return cast("dict[str, Any]", table)


def _check_name(where: str, name: str, known: Collection[str], *, more: str = "") -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There is: {', '.join(sorted(known))}.{more}"
    _refuse(f"{where} {name} does not exist. {hint}")


def _refuse(message: str) -> NoReturn:
    raise Stop(f"{message[0].upper()}{message[1:]}" if message.startswith("the ") else message, Exit.CONFIGURATION)
