"""`castiron keys`: the keys that clients and conductors speak with, who is let in, and the key of a store's secrets.

The allow-list is a file; a conductor that runs follows it, so none of these asks a conductor.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import click

from castiron.cli.conductor.settings import configured
from castiron.cli.configuration import default_store, expanded, key_file_of, store_of
from castiron.cli.options import Command, Group, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop, sentence
from castiron.cli.output.render import moment, show_json, show_table
from castiron.transport.vocabulary import Role

_HEAD: Final = ("NAME", "ROLE", "PUBLIC KEY", "ALLOWED")

HOLDS: Final = "A conductor that runs follows within two seconds."


@click.group(cls=Group)
def keys() -> None:
    """Make keys, and say whose are let in.

    A conductor that can be reached from elsewhere speaks CURVE: it has a key pair (`keys new --server`), each client
    has one (`keys new NAME`), and an allow-list names the clients' public keys with their roles.
    """


def _places(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that say where the conductor's files are."""
    helps = {
        "config": ("FILE", "As for `castiron serve`."),
        "store": ("PATH", "The conductor's SQLite file. [default: as `castiron serve`]"),
        "server-key-file": ("PATH", "The conductor's secret key file. [default: beside the store, .server.key_secret]"),
        "allow-file": ("PATH", "The allow-list. [default: beside the store, .allow.json]"),
    }

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(("config", "store", *names)):
            metavar, text = helps[name]
            command = click.option(f"--{name}", metavar=metavar, help=text)(command)
        return command

    return decorated


def _place(name: str, given: Mapping[str, str | None], beside: Callable[[Path], Path]) -> Path:
    """Return where a conductor that is told the same has one of its files."""
    told = dict(given)
    config = told.pop("config")
    places = configured(None if config is None else Path(config), told, ()).places
    store = expanded(Path(places["store"])) if "store" in places else default_store(os.environ)
    return Path(places[name]).expanduser() if name in places else beside(store)


@keys.command("new", cls=Command)
@click.argument("name", required=False)
@click.option("--server", is_flag=True, help="The conductor's own pair, where `castiron serve` looks for it.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where a client's pair is written. [default: castiron in $XDG_CONFIG_HOME, else ~/.config/castiron]",
)
@_places("server-key-file")
def _new(name: str | None, *, server: bool, folder: Path | None, **given: str | None) -> None:
    """Make a key pair: NAME.key, to be handed out, and NAME.key_secret, which stays where it is (mode 0600).

    Both are certificates of ZeroMQ. The secret key is not shown, and nothing is overwritten.
    """
    from castiron.transport.doors.guard import server_key_beside  # noqa: PLC0415 - so that other commands start quickly
    from castiron.transport.keys.certificate import SECRET_SUFFIX  # noqa: PLC0415 - as above

    if server == (name is not None):
        raise Stop("Give the new pair a name, as in `castiron keys new alice`; or --server, without one.", Exit.USAGE)
    if name is not None:
        made = _made(folder or _own_folder(os.environ), _checked(name))
        told = "Let it in, where the conductor runs: castiron keys allow"
        _show_made(made, f"{told} {name} '{made.public}' --role operator")
        return
    path = _place("server_key_file", given, server_key_beside)
    if path.suffix != SECRET_SUFFIX:
        raise Stop(f"The secret key file of a pair ends in {SECRET_SUFFIX}; {path} does not.", Exit.USAGE)
    made = _made(path.parent, path.stem)
    _show_made(made, f"Clients need the public key: --server-key '{made.public}', or a copy of {made.public_path}.")


def _made(folder: Path, name: str) -> Any:
    """Make a pair.

    Raises:
        Stop: a file of it exists, or cannot be written.
    """
    from castiron.transport.errors import KeyUnusable  # noqa: PLC0415 - so that other commands start quickly
    from castiron.transport.keys.certificate import make_pair  # noqa: PLC0415 - as above

    try:
        return make_pair(folder, name)
    except KeyUnusable as failure:
        raise Stop(failure.message, Exit.CANNOT_CREATE) from None


def _own_folder(environment: Mapping[str, str]) -> Path:
    named = environment.get("XDG_CONFIG_HOME")
    return (Path(named) if named else Path("~/.config").expanduser()) / "castiron"


def _checked(name: str) -> str:
    """Return a name that a key may have."""
    from castiron.transport.keys.allowlist import MAX_NAME, is_name  # noqa: PLC0415 - as above

    if not is_name(name):
        raise Stop(f"{name!r} is not a name of a key: 1 to {MAX_NAME} letters, digits, and . - _", Exit.BAD_DATA)
    return name


def _show_made(made: Any, advice: str) -> None:
    if shared().is_json:
        show_json(made._asdict() | {"public_path": str(made.public_path), "secret_path": str(made.secret_path)})
        return
    click.echo(f"public key   {made.public}")
    click.echo(f"public file  {made.public_path}")
    click.echo(f"secret file  {made.secret_path}")
    click.echo(advice)


@keys.command("allow", cls=Command)
@click.argument("name")
@click.argument("public_key", metavar="PUBLIC-KEY|FILE")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.READER.value,
    show_default=True,
    help="reader: look; operator: also drive machines; admin: also make, change and delete nodes.",
)
@_places("allow-file")
def _allow(name: str, public_key: str, role: str, **given: str | None) -> None:
    """Let a key in, under a name that requests and events will say, and in a role.

    The same name and key again change the role. A conductor that runs follows within two seconds.
    """
    from castiron.transport.keys import allowlist, protection  # noqa: PLC0415 - as above

    path = _place("allow_file", given, allowlist.allow_list_beside)
    entry = allowlist.Allowed(
        name=_checked(name),
        role=Role(role),
        public_key=protection.public_key(public_key),
        allowed_at=time.time(),
    )
    before: list[allowlist.Allowed | None] = []

    def let_in(allowed: allowlist.AllowList) -> allowlist.AllowList:
        known, other = allowed.named(entry.name), allowed.owner(entry.public_key)
        if known is not None and known.public_key != entry.public_key:
            raise Stop(f"{name} has another key. `castiron keys revoke {name}` first, then allow this.", Exit.BAD_DATA)
        if other is not None and other.name != name:
            raise Stop(f"That key is {other.name}'s already. One key has one name.", Exit.CANNOT_CREATE)
        before.append(known)
        return allowed.with_entry(entry if known is None else allowlist.changed(known, role=entry.role))

    try:
        allowlist.change_allow_list(path, let_in)
    except ValueError as full:
        raise Stop(f"{path}: {full}. Revoke keys that are not used any more.", Exit.CANNOT_CREATE) from None
    _tell(path, name, f"let in as {role}" if before == [None] else f"has the role {role} now", role=role)


@keys.command("list", cls=Command)
@_places("allow-file")
def _list(**given: str | None) -> None:
    """List the keys that are let in: name, role, public key, and since when."""
    from castiron.transport.keys import allowlist  # noqa: PLC0415 - as above

    path = _place("allow_file", given, allowlist.allow_list_beside)
    allowed = list(allowlist.read_allow_list(path))
    if shared().is_json:
        show_json(allowed)
        return
    now = time.time()
    show_table(_HEAD, [[one.name, one.role.value, one.public_key, moment(one.allowed_at, now)] for one in allowed])


@keys.command("revoke", cls=Command)
@click.argument("name")
@_places("allow-file")
def _revoke(name: str, **given: str | None) -> None:
    """Let a key in no more. A conductor that runs cuts it off within two seconds.

    What was asked for with it and accepted before goes on; `castiron request list` shows it.
    """
    from castiron.transport.keys import allowlist  # noqa: PLC0415 - as above

    path = _place("allow_file", given, allowlist.allow_list_beside)

    def cut_off(allowed: allowlist.AllowList) -> allowlist.AllowList:
        if allowed.named(name) is None:
            raise Stop(f"No key is called {name} in {path}. `castiron keys list` shows them.", Exit.NOT_FOUND)
        return allowed.without(name)

    if not path.exists():
        raise Stop(f"There is no allow-list {path}.", Exit.NOT_FOUND)
    allowlist.change_allow_list(path, cut_off)
    _tell(path, name, "let in no more")


def _tell(path: Path, name: str, what: str, **more: str) -> None:
    if shared().is_json:
        show_json({"allow_file": str(path), "name": name, **more})
    else:
        click.echo(f"{name}: {what} ({path}). {HOLDS}")


@keys.command("rotate", cls=Command)
@click.option(
    "--store", type=click.Path(path_type=Path), metavar="PATH", help="The SQLite file. [default: as `castiron serve`]"
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The key of the stored secrets. [default: beside the store, .key]",
)
def _rotate(store: Path | None, key_file: Path | None) -> None:
    """Give a store a new key, and encrypt every secret in it anew. The conductor must not be running.

    May be killed at any point: the store stays readable, and the next rotation finishes the work.
    """
    from castiron.store.errors import SecretsUnreadable, StoreError  # noqa: PLC0415 - peewee and cryptography: 100 ms
    from castiron.store.rotation import rotate  # noqa: PLC0415 - as above

    path, key_path = store_of(store, os.environ), key_file_of(key_file, os.environ)
    try:
        count = rotate(path, key_path, new_id=lambda: str(uuid4()))
    except SecretsUnreadable as error:
        raise Stop(f"{sentence(error)} Nothing was changed.", Exit.DENIED) from None
    except StoreError as error:
        raise Stop(sentence(error), Exit.CANNOT_CREATE) from None
    if shared().is_json:
        show_json({"store": str(path), "encrypted_anew": count})
    else:
        click.echo(f"{path}: a new key; {count} secrets encrypted anew")
