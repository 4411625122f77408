"""`castiron settings`: every setting of a conductor, its value, where that comes from, and what it means.

Reads what `castiron serve` reads with the same options; nothing of it is secret. As TOML it is a file that `castiron
serve --config` takes.
"""

import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from castiron.cli.configuration import DEFAULT, Configuration, Given, default_store
from castiron.cli.options import Command, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.render import show_json, show_table, word
from castiron.cli.reach import connect
from castiron.transport.verbs import Status

if TYPE_CHECKING:
    from castiron.actors.settings import Settings

_HEAD: Final = ("NAME", "VALUE", "DEFAULT", "SOURCE", "MEANING")

RUNNING: Final = "running conductor"

CONDUCTOR: Final[Mapping[str, tuple[str, str]]] = {
    "store": ("", "the SQLite file; made if it is missing"),
    "key_file": ("", "the key of the stored secrets; by default beside the store, .key"),
    "listen": ("", "ipc:///path or tcp://ADDRESS:PORT; by default a socket in the user's own folder"),
    "server_key_file": (
        "",
        "the conductor's secret key file, with which tcp:// takes keys only; off loopback by default beside the store",
    ),
    "allow_file": ("", "the allow-list of clients' keys; by default beside the store, .allow.json"),
    "log_level": ("info", "how much is logged to standard error: debug, info, warning or error"),
    "log_format": ("text", "how a line of the log is written: text, or json for programs"),
}
"""Name in the [conductor] table → its default, empty where it depends on who asks, and its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting."""

    name: str
    table: str
    """Of the TOML file: conductor or settings."""
    value: Any
    default: Any
    source: str
    unit: str | None
    least: float | None
    most: float | None
    meaning: str


@click.command("settings", cls=Command, verbs=(Status,))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="As for `castiron serve`.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="As for `castiron serve`. Repeatable.")
@click.option("--running", is_flag=True, help="What the conductor that runs now goes by, instead.")
@click.option("--as-toml", is_flag=True, help="As a file for `castiron serve --config`; defaults are commented out.")
def settings(
    names: tuple[str, ...], config: Path | None, given: tuple[str, ...], *, running: bool, as_toml: bool
) -> None:
    """Show every setting of a conductor, or those named: value, default, where the value comes from, and meaning.

    Without --running, what `castiron serve` would go by if it were started now with the same options and environment.
    """
    configuration = configured(config, {}, given)
    rows = _named(_running() if running else rows_of(configuration), names)
    if as_toml:
        click.echo(as_file(rows), nl=False)
    elif shared().is_json:
        show_json([asdict(row) for row in rows])
    else:
        show_table(_HEAD, [[row.name, _shown(row.value), _shown(row.default), row.source, row.meaning] for row in rows])


def configured(config: Path | None, places: Mapping[str, str | None], settings: Iterable[str]) -> Configuration:
    """Return what file, environment and command line give, in rising order.

    Raises:
        Stop: one of them holds a name that means nothing, or the file cannot be read.
    """
    configuration = Configuration()
    if config is not None:
        configuration.add_file(config)
    configuration.add_environment(os.environ, [name for name, _ in setting_lines()])
    configuration.add_flags(places, settings)
    return configuration


def setting_lines() -> list[tuple[str, str]]:
    """Return each setting's name, and its meaning with its default."""
    from castiron.actors.settings import default_in_words  # noqa: PLC0415 - so that the other commands' help stays quick

    return [(item.name, f"{item.metadata['meaning']} [default: {default_in_words(item)}]") for item in _items()]


def read_settings(given: Mapping[str, Given]) -> "Settings":
    """Read all settings.

    Raises:
        Stop: one is wrong; the message says where it came from.
    """
    from castiron.actors.settings import SettingInvalid, check_setting, setting_from_text, settings_from  # noqa: PLC0415 - as above

    values: dict[str, Any] = {}
    for name, one in given.items():
        try:
            values[name] = setting_from_text(name, one.value) if one.is_text else one.value
            check_setting(name, values[name])
        except SettingInvalid as error:
            raise Stop(f"{one.origin}{error}", Exit.CONFIGURATION) from None
    try:
        return settings_from(values)
    except SettingInvalid as error:  # two that do not go together, wherever each came from
        raise Stop(str(error), Exit.CONFIGURATION) from None


def as_file(rows: Iterable[Row]) -> str:
    """Return settings as a TOML file that says what each is for. What has its default is commented out."""
    return "".join(f"{line}\n" for line in _file_lines(rows))


def _file_lines(rows: Iterable[Row]) -> Iterator[str]:
    table = ""
    for row in rows:
        if row.table != table:
            yield from ([""] if table else [])
            table = row.table
            yield f"[{table}]"
        yield ""
        yield f"# {row.meaning[:1].upper()}{row.meaning[1:]}{_bounds(row)}."
        value = "" if row.value is None else f" {_toml(row.value)}"
        yield f"{'# ' if row.source == DEFAULT else ''}{row.name} ={value}"


def _bounds(row: Row) -> str:
    return "" if row.least is None or row.most is None else f"; {row.least:,.15g} to {row.most:,.15g}"


def _shown(value: Any) -> str:
    """Return a value for a cell, as it would be typed."""
    if isinstance(value, list):
        return " ".join(cast("list[str]", value)) or "-"
    return _toml(value) if isinstance(value, bool) else word(value)


def _toml(value: Any) -> str:
    """Return a value as TOML has it. A basic string of TOML is one of JSON's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def rows_of(configuration: Configuration) -> list[Row]:
    """Return every setting with the value that a configuration gives it.

    Raises:
        Stop: one is wrong; the message says where it came from.
    """
    values = read_settings(configuration.settings)
    places = {"store": str(default_store(os.environ))} | configuration.places
    rows = [_place(name, places.get(name), configuration.source(name)) for name in CONDUCTOR]
    return rows + [_setting(item, getattr(values, item.name), configuration.source(item.name)) for item in _items()]


def _running() -> list[Row]:
    """Return what the conductor says that it goes by."""
    with connect(shared()) as client:
        view = client.status()
    places = {"store": view.store.path, "listen": view.endpoint}
    rows = [_place(name, value, RUNNING) for name, value in places.items()]
    known = {item.name: item for item in _items()}
    return rows + [_setting(known[name], value, RUNNING) for name, value in view.settings.items() if name in known]


def _place(name: str, value: str | None, source: str) -> Row:
    default, meaning = CONDUCTOR[name]
    return Row(
        name=name,
        table="conductor",
        value=value or default or None,
        default=default or None,
        source=source,
        unit=None,
        least=None,
        most=None,
        meaning=meaning,
    )


def _setting(item: Any, value: Any, source: str) -> Row:
    is_switch = isinstance(item.default, bool)
    return Row(
        name=item.name,
        table="settings",
        value=_plain(value),
        default=_plain(item.default),
        source=source,
        unit="seconds" if item.name.endswith("_s") else None,
        least=None if is_switch else item.metadata["least"],
        most=None if is_switch else item.metadata["most"],
        meaning=item.metadata["meaning"],
    )


def _plain(value: Any) -> Any:
    """Return a value as JSON and TOML have it."""
    return list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value


def _items() -> Any:
    from castiron.actors.settings import Settings  # noqa: PLC0415 - as above

    return fields(Settings)


def _named(rows: list[Row], names: tuple[str, ...]) -> list[Row]:
    known = [row.name for row in rows]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "`castiron settings` lists them."
            raise Stop(f"{name}: there is no such setting. {hint}", Exit.USAGE)
    return [row for row in rows if row.name in names] if names else rows
