"""`castiron runbook`: lists of steps that are stored under a name, from files that people write."""

import difflib
import time
from typing import Any, Final, cast

import click

from castiron.cli.bulk import dry_run_option
from castiron.cli.options import Command, Group, Shared, is_terminal, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.render import age, moment, show_json, show_record, show_table, word
from castiron.cli.pairs import json_pairs
from castiron.cli.provision.documents import Document, read_document
from castiron.cli.reach import connect
from castiron.transport.clients.provisioning.runbooks import changed_runbook, new_runbook
from castiron.transport.errors import CastironError
from castiron.transport.replies import Forecast, RunbookView
from castiron.transport.verbs import RunbookCreate, RunbookDelete, RunbookList, RunbookSet, RunbookShow, RunbookStep

FIELDS: Final = ("name", "description", "traits", "extra", "steps")
"""What a file may hold."""

SHOWN: Final = ("uuid", "kinds", "created_at", "updated_at", "revision")
"""What `runbook show --format json` prints beside them: left out, so that it can be changed and handed back."""

UNSET: Final = {"description": None, "traits": list[str]()}


@click.group(cls=Group)
def runbook() -> None:
    """Store lists of steps under a name, look at them and change them; `castiron node clean --runbook NAME` uses one.

    FILE is TOML if its name ends in .toml, JSON otherwise, - for JSON on standard input: name, steps, and, if wanted,
    description, traits and extra. docs/guides/runbooks.md tells how to write one.
    """


@runbook.command("create", cls=Command, verbs=(RunbookCreate,))
@click.argument("path", metavar="FILE")
@click.option("--name", metavar="NAME", help="What it is called; otherwise the file says it.")
@dry_run_option
def _create(path: str, name: str | None, *, dry_run: bool) -> None:
    """Store the runbook of a file, checked whole against the steps that the conductor knows."""
    given, document = shared(), read_document(path)
    fields = _fields_of(document, name)
    with connect(given) as client:
        try:
            if dry_run:
                return _foretold(client.foretell(new_runbook(**fields)), given)
            view = client.runbooks.create(**fields)
        except CastironError as error:
            raise _located(error, document) from None
    if given.is_json:
        return show_json(view)
    return click.echo(f"{view.name}: created, uuid {view.uuid}")


@runbook.command("check", cls=Command, verbs=(RunbookCreate, RunbookSet, RunbookList))
@click.argument("path", metavar="FILE")
@click.option("--name", metavar="NAME", help="What it is called; otherwise the file says it.")
def _check(path: str, name: str | None) -> None:
    """Check the runbook of a file as if it were stored now, whether there is one of its name or not. Store nothing."""
    given, document = shared(), read_document(path)
    fields = _fields_of(document, name)
    with connect(given) as client:
        try:
            forecast = client.runbooks.check(**fields)
        except CastironError as error:
            raise _located(error, document) from None
    return _foretold(forecast, given)


@runbook.command("list", cls=Command, verbs=(RunbookList,))
@click.option("--node", metavar="NODE", help="Only those that this node has a trait for.")
def _list(node: str | None) -> None:
    """List runbooks, sorted by name."""
    given = shared()
    with connect(given) as client:
        listed = client.runbooks.list(node=node)
    if given.is_json:
        return show_json(listed)
    now = time.time()
    rows = [
        (one.name, str(one.step_count), ",".join(one.kinds) or "-", age(one.updated_at, now), word(one.description))
        for one in listed
    ]
    return show_table(("NAME", "STEPS", "KINDS", "UPDATED", "DESCRIPTION"), rows)


@runbook.command("show", cls=Command, verbs=(RunbookShow,))
@click.argument("name", metavar="RUNBOOK")
def _show(name: str) -> None:
    """Show a runbook with its steps, secrets masked. RUNBOOK is a name or a uuid."""
    given = shared()
    with connect(given) as client:
        _print(client.runbooks.show(name), given)


@runbook.command("set", cls=Command, verbs=(RunbookSet,))
@click.argument("name", metavar="RUNBOOK")
@click.argument("path", metavar="[FILE]", required=False)
@click.option("--name", "new_name", metavar="NAME", help="Its new name.")
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--trait", "traits", multiple=True, metavar="TRAIT", help="A node needs one of them. Repeatable; all.")
@click.option("--extra", multiple=True, metavar="KEY=VALUE", help="As --property of a node. Repeatable.")
@click.option(
    "--unset",
    multiple=True,
    metavar="FIELD",
    help="extra.KEY is removed; description or traits is forgotten. Repeatable.",
)
@click.option(
    "--revision", type=click.IntRange(min=1), metavar="N", help="Only if the runbook still has this revision."
)
@dry_run_option
def _set(name: str, path: str | None, revision: int | None, *, dry_run: bool, **options: Any) -> None:
    """Change a runbook: what FILE and the options say; the rest stays as it is.

    What `castiron runbook show --format json` prints can be changed and handed back: a masked secret stays as it is.
    """
    document = None if path is None else read_document(path)
    changes: Any = ({} if document is None else _read(document)) | _options(**options)
    if not changes:
        raise click.UsageError("Say what to change.")
    given = shared()
    with connect(given) as client:
        try:
            if dry_run:
                return _foretold(client.foretell(changed_runbook(name, revision, **changes)), given)
            view = client.runbooks.set(name, revision=revision, **changes)
        except CastironError as error:
            raise (error if document is None else _located(error, document)) from None
    return _print(view, given)


@runbook.command("delete", cls=Command, verbs=(RunbookDelete,))
@click.argument("name", metavar="RUNBOOK")
@click.option(
    "--revision", type=click.IntRange(min=1), metavar="N", help="Only if the runbook still has this revision."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask first.")
@dry_run_option
def _delete(name: str, revision: int | None, *, yes: bool, dry_run: bool) -> None:
    """Forget a runbook. What was accepted with it goes on."""
    given = shared()
    if not (yes or dry_run):
        _ask(f"Forget runbook {name}?")
    with connect(given) as client:
        if dry_run:
            return _foretold(client.foretell(RunbookDelete(runbook=name, revision=revision)), given)
        deleted = client.runbooks.delete(name, revision=revision)
    if given.is_json:
        return show_json(deleted)
    return click.echo(f"{deleted.name}: deleted")


def _ask(question: str) -> None:
    if not is_terminal("stdin"):
        raise click.UsageError(f"{question} There is nobody to ask: add --yes.")
    if not click.confirm(question, err=True):
        raise Stop("Nothing was deleted.", Exit.OK)


def _read(document: Document) -> dict[str, Any]:
    """Return the fields of a file; what stands in each is the conductor's business."""
    read: object = document.content
    if not isinstance(read, dict):
        raise Stop(f"{document.path}: a runbook is an object with a name and steps.", Exit.BAD_DATA)
    content = cast("dict[str, Any]", read)
    _check_keys(document, "$", content, "a runbook", (*FIELDS, *SHOWN))
    for key in ("steps", "traits"):
        if not isinstance(content.get(key, []), list):
            raise Stop(f"{_where(document, f'$.{key}')}: {key} is a list.", Exit.BAD_DATA)
    for number, step in enumerate(content.get("steps", [])):
        if isinstance(step, dict):
            fields = cast("dict[str, Any]", step)
            _check_keys(document, f"$.steps[{number}]", fields, "a step", RunbookStep.__struct_fields__)
    return {key: value for key, value in content.items() if key in FIELDS}


def _check_keys(document: Document, place: str, given: dict[str, Any], what: str, known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(known)}."
            where = _where(document, f"{place}.{key}")
            raise Stop(f"{where}, {place}.{key}: {what} has no such field. {hint}", Exit.BAD_DATA)


def _fields_of(document: Document, name: str | None) -> Any:
    """Return all that a new runbook has."""
    fields = {**_read(document), **({} if name is None else {"name": name})}
    for key, advice in (("name", "Give it one there, or with --name."), ("steps", "Give it at least one.")):
        if key not in fields:
            raise Stop(f"{document.path}: the runbook has no {key}. {advice}", Exit.BAD_DATA)
    return fields


def _options(
    new_name: str | None,
    description: str | None,
    traits: tuple[str, ...],
    extra: tuple[str, ...],
    unset: tuple[str, ...],
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    given: dict[str, Any] = {"name": new_name, "description": description, "traits": list(traits)}
    changes |= {key: value for key, value in given.items() if value}
    values: dict[str, Any] = json_pairs("--extra", extra)
    for one in unset:
        group, _, key = one.partition(".")
        if group == "extra" and key:
            values[key] = None
        elif one in UNSET:
            changes[one] = UNSET[one]
        else:
            raise click.UsageError(f"--unset takes one of extra.KEY, {', '.join(UNSET)}.")
    return changes | ({"extra": values} if values else {})


def _foretold(forecast: Forecast, given: Shared) -> None:
    if given.is_json:
        return show_json(forecast)
    return click.echo(forecast.text)


def _where(document: Document, place: str) -> str:
    line = document.line_of(place)
    return document.path if line is None else f"{document.path}, line {line}"


def _located(error: CastironError, document: Document) -> CastironError:
    """Return what a conductor says of a file's content, with where it stands in the file."""
    place = error.details.get("path")
    if not isinstance(place, str):
        return error
    error.message = f"{_where(document, place)}, {place}: {error.message}"
    line = document.line_of(place)
    error.details |= {"file": document.path, **({} if line is None else {"line": line})}
    return error


def _print(view: RunbookView, given: Shared) -> None:
    if given.is_json:
        return show_json(view)
    now = time.time()
    show_record(
        {
            "name": view.name,
            "uuid": view.uuid,
            "description": word(view.description),
            "traits": ", ".join(view.traits) or f"{view.name} (its name)",
            "kinds": ", ".join(view.kinds) or "none: a step of it is not known any more",
            "extra": word(view.extra),
            "created_at": moment(view.created_at, now),
            "updated_at": moment(view.updated_at, now),
            "revision": str(view.revision),
        }
    )
    click.echo("steps")
    rows = [(str(number), _name(step), word(_rest(step))) for number, step in enumerate(view.steps, start=1)]
    return show_table(("", "STEP", "HOW"), rows)


def _name(step: dict[str, Any]) -> str:
    interface = step.get("interface")
    return str(step["step"] if interface is None else f"{interface}.{step['step']}")


def _rest(step: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key not in {"interface", "step"}}
