"""How an inventory is imported: make its nodes known, and change those that are.

The file is read whole and judged first. Then each node is looked at, and the conductor foretells what its entry would
do; only then it is done, each node whole or not at all. Twice is once: an entry that is so already does nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from castiron.cli.bulk import Outcome, folded, send
from castiron.cli.inventory.entries import MAX_BYTES, MAX_TOLD, Entry, Mistake, Mistaken, judged
from castiron.cli.inventory.ironic import from_json
from castiron.cli.inventory.planning import Action, Difference, Plan, differences, made
from castiron.cli.inventory.tables import from_csv, from_toml
from castiron.cli.options import Shared
from castiron.cli.output.exits import Exit, exit_of_all
from castiron.cli.output.faults import Stop, code_of, error_map, error_text, tell
from castiron.cli.output.render import show_json, show_table, visible
from castiron.cli.reach import connect
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import NodeNotFound
from castiron.transport.replies import Forecast, NodeView
from castiron.transport.verbs import NodeCreate, NodeSet, NodeShow

READERS: Final[Mapping[str, Callable[[str], Iterator[Entry | list[Mistake]]]]] = {
    "csv": from_csv,
    "toml": from_toml,
    "json": from_json,
}

_SHOWN: Final = 6
"""Fields in a cell of the table; JSON has them all."""


def import_nodes(
    path: Path, kind: str | None, info: Mapping[str, str], given: Shared, *, update: bool, force: bool, dry_run: bool
) -> int:
    """Import a file; returns what to exit with.

    Args:
        path: the file.
        kind: one of `READERS`; None: as its name ends.
        info: driver_info for every entry that does not say it.
        given: the shared options.
        update: change nodes that are there.
        force: accept a BMC address that another node has.
        dry_run: only say what would be.
    """
    entries = [_completed(one, info) for one in read(path, kind)]
    with connect(given) as client:
        plans = planned(client, entries, update=update, force=force)
        if not dry_run:
            plans = carried_out(client, plans, force=force)
    _show(plans, given, is_dry=dry_run)
    return exit_of_all([plan.error for plan in plans if plan.error is not None])


def read(path: Path, kind: str | None) -> list[Entry]:
    """Return the entries of a file.

    Raises:
        Stop: it cannot be read, or something in it is wrong; says what and where, and repeats no value.
    """
    named = kind or path.suffix.removeprefix(".").lower()
    if named not in READERS:
        raise Stop(f"{path}: say what it is with --from: {', '.join(READERS)}.", Exit.USAGE)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Stop(f"{path} is larger than {MAX_BYTES >> 20} MiB. Split it.", Exit.BAD_DATA)
        entries = judged(READERS[named](path.read_text(encoding="utf-8-sig")))
    except OSError as failure:
        raise Stop(f"Cannot read {path}: {failure.strerror}.", Exit.NOT_FOUND) from None
    except UnicodeDecodeError:
        raise Stop(f"{path} is not text in UTF-8.", Exit.BAD_DATA) from None
    except ValueError as wrong:
        raise Stop(f"{path}: not {named.upper()} of nodes: {wrong}.", Exit.BAD_DATA) from None
    except Mistaken as wrong:
        for mistake in wrong.mistakes[:MAX_TOLD]:
            tell(f"{path}: {mistake}")
        raise Stop(f"{path}: {len(wrong.mistakes)} mistakes. Nothing was done.", Exit.BAD_DATA) from None
    if not entries:
        raise Stop(f"{path} has no nodes.", Exit.BAD_DATA)
    return entries


def _completed(entry: Entry, info: Mapping[str, str]) -> Entry:
    """Return an entry with what holds for those that do not say it themselves."""
    if not info:
        return entry
    whole = {**info, **entry.fields.get("driver_info", {})}
    masked = tuple(key for key in entry.masked if key not in info)
    return replace(entry, fields={**entry.fields, "driver_info": whole}, masked=masked)


def planned(client: Client, entries: Sequence[Entry], *, update: bool, force: bool) -> list[Plan]:
    """Return what is to be done about each entry, as the conductor foretells it; nothing is done."""
    views = {
        one.node: one.result if one.error is None else one.error
        for one in send(client, [(entry.name, NodeShow(node=entry.name)) for entry in entries])
    }
    verbs = [(one.name, _verb(one, views[one.name], force=force, dry_run=True)) for one in entries]
    forecasts = send(client, verbs)
    return [
        _plan(entry, views[entry.name], forecast, update=update)
        for entry, forecast in zip(entries, forecasts, strict=True)
    ]


def _verb(entry: Entry, there: object, *, force: bool, dry_run: bool) -> NodeCreate | NodeSet:
    fields: dict[str, Any] = {**entry.fields, "force": force, "dry_run": dry_run}
    if isinstance(there, NodeView):
        return NodeSet(node=there.uuid, **fields)
    return NodeCreate(name=entry.name, **fields)


def _plan(entry: Entry, there: object, forecast: Outcome, *, update: bool) -> Plan:
    if isinstance(there, Exception) and not isinstance(there, NodeNotFound):
        return Plan(entry, Action.FAIL, error=there)  # type: ignore[arg-type]  # `send` gives castiron's errors
    if forecast.error is not None:
        return Plan(entry, Action.FAIL, error=forecast.error)
    if not isinstance(there, NodeView):
        return Plan(entry, Action.CREATE, made(entry))
    told: Forecast = forecast.result
    if not told.changed:
        return Plan(entry, Action.NOTHING)
    return Plan(entry, Action.CHANGE if update else Action.DIFFERS, differences(entry, there, told.changed))


def carried_out(client: Client, plans: Sequence[Plan], *, force: bool) -> list[Plan]:
    """Return the plans with what became of them. Each node is made or changed whole, or not at all."""
    wanted: list[tuple[str, NodeCreate | NodeSet]] = []
    for plan in plans:
        name = plan.entry.name
        fields: dict[str, Any] = {**plan.entry.fields, "force": force}
        if plan.action is Action.CREATE:
            wanted.append((name, NodeCreate(name=name, **fields)))
        elif plan.action is Action.CHANGE:
            wanted.append((name, NodeSet(node=name, **fields)))
    errors = {one.node: one.error for one in send(client, wanted) if one.error is not None}
    return [
        plan._replace(action=Action.FAIL, error=errors[plan.entry.name]) if plan.entry.name in errors else plan
        for plan in plans
    ]


# What is told.


def _show(plans: Sequence[Plan], given: Shared, *, is_dry: bool) -> None:
    counts = {action: sum(plan.action is action for plan in plans) for action in Action}
    if given.is_json:
        summary = {action.value: count for action, count in counts.items()}
        return show_json({"dry_run": is_dry, "nodes": [_map(plan) for plan in plans], "summary": summary})
    told = [plan for plan in plans if plan.action not in {Action.NOTHING, Action.FAIL}]
    if told:
        show_table(
            ("NODE", "ACTION", "FIELDS"), [[plan.entry.name, plan.action, _cell(plan.differences)] for plan in told]
        )
    for plan in plans:
        if plan.error is not None:
            where = f"{plan.entry.where}, {plan.entry.name}"
            click.echo(visible(f"{where}: {code_of(plan.error)}: {error_text(plan.error)}"), err=True)
    _tell_left_out(plans)
    words = ", ".join(f"{count} {action}" for action, count in counts.items() if count)
    return tell(f"{'would be done' if is_dry else 'done'}: {words}." + _advice(counts))


def _advice(counts: Mapping[Action, int]) -> str:
    return " What differs is left alone; --update changes it." if counts[Action.DIFFERS] else ""


def _tell_left_out(plans: Sequence[Plan]) -> None:
    left_out: dict[str, list[str]] = {}
    masked: dict[str, list[str]] = {}
    for plan in plans:
        for name in plan.entry.left_out:
            left_out.setdefault(name, []).append(plan.entry.name)
        for key in plan.entry.masked if plan.action is not Action.NOTHING else ():
            masked.setdefault(key, []).append(plan.entry.name)
    for name, nodes in left_out.items():
        tell(f"{name} was not taken over: {folded(nodes)}.")
    for key, nodes in masked.items():
        tell(f"{key} is masked in the file, and was not taken over: {folded(nodes)}. Add it: --driver-info {key}=-")


def _cell(found: Sequence[Difference]) -> str:
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(map(str, found[:_SHOWN])) + more


def _map(plan: Plan) -> dict[str, Any]:
    return {
        "node": plan.entry.name,
        "where": plan.entry.where,
        "action": plan.action,
        "fields": [one._asdict() for one in plan.differences],
        "left_out": list(plan.entry.left_out),
        "masked": list(plan.entry.masked),
        "error": None if plan.error is None else error_map(plan.error),
    }
