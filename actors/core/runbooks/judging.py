"""Which runbooks there may be: what is refused of a new one, and of a change, before anything is stored. Pure.

What belongs to the fleet is judged here against all other runbooks; their steps, against the steps that there are.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from castiron.actors.core.provision.catalogue import Catalogue
from castiron.actors.core.runbooks.index import RunbookIndex
from castiron.actors.core.runbooks.steps import checked
from castiron.store.records import RunbookRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import ArgumentInvalid, RunbookExists, RunbookNotFound, RunbooksFull, RunbookStale
from castiron.transport.verbs import MAX_RUNBOOK_BYTES, MAX_RUNBOOKS, RunbookCreate, RunbookDelete, RunbookSet, to_map
from castiron.transport.verbs.arguments import TRAIT_PATTERN
from castiron.transport.vocabulary import UUID_FORM, Instant, Revision, RunbookUUID

TOLD: Final = ("name", "description", "traits", "extra", "steps", "secrets")
"""Fields of a record that a change is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a judgement needs beside the verb."""

    uuid: RunbookUUID
    """Of the runbook, if a new one is made."""
    now: Instant
    catalogue: Catalogue


def judge_create(index: RunbookIndex, verb: RunbookCreate, given: Circumstances) -> RunbookRecord:
    """Return the record of a new runbook.

    Raises:
        RunbookExists: another one has the name.
        RunbooksFull: there are as many as there may be.
        ArgumentInvalid: a name that cannot be one, or too much of it.
        StepInvalid: see `steps.checked`.
    """
    _check_name(index, verb.name, None)
    if len(index.by_uuid) >= MAX_RUNBOOKS:
        message = f"There are {len(index.by_uuid)} runbooks, and the limit is {MAX_RUNBOOKS}. Delete one first."
        raise RunbooksFull(message, details={"count": len(index.by_uuid), "limit": MAX_RUNBOOKS})
    steps, secrets = checked(verb.steps, given.catalogue)
    record = RunbookRecord(
        uuid=given.uuid,
        name=verb.name,
        description=verb.description,
        traits=tuple(sorted(set(verb.traits))),
        steps=steps,
        secrets=secrets,
        extra={name: value for name, value in verb.extra.items() if value is not None},
        created_at=given.now,
        updated_at=given.now,
    )
    return _checked(record, "$.steps")


def judge_set(index: RunbookIndex, verb: RunbookSet, given: Circumstances) -> tuple[RunbookRecord, RunbookRecord]:
    """Return a runbook as it is, and as it is to be; both are the same if nothing would change.

    Raises:
        RunbookNotFound, RunbookStale: there is none, or it is another one by now.
        RunbookExists, ArgumentInvalid, StepInvalid: as `judge_create`.
    """
    before = found(index, verb.runbook, verb.revision)
    changes = _plain_changes(verb, before)
    if verb.steps:  # given, and then it has some
        changes["steps"], changes["secrets"] = checked(verb.steps, given.catalogue, before)
    after = replace(before, **changes)
    if not changed_fields(before, after):
        return before, before
    _check_name(index, after.name, before)
    after = replace(after, revision=Revision(before.revision + 1), updated_at=given.now)
    return before, _checked(after, "$.steps" if verb.steps else "$.extra")


def judge_delete(index: RunbookIndex, verb: RunbookDelete) -> RunbookRecord:
    """Return the runbook that is to be forgotten. Requests that were accepted with it are not looked for.

    Raises:
        RunbookNotFound, RunbookStale: there is none, or it is another one by now.
    """
    return found(index, verb.runbook, verb.revision)


def found(index: RunbookIndex, name_or_uuid: str, revision: int | None = None) -> RunbookRecord:
    """Return a runbook.

    Raises:
        RunbookNotFound: there is none.
        RunbookStale: it has another revision.
    """
    record = index.find(name_or_uuid)
    if record is None:
        message = f"There is no runbook {name_or_uuid!r}. `castiron runbook list` shows all."
        raise RunbookNotFound(message, details={"runbook": name_or_uuid})
    if revision not in {None, record.revision}:
        message = f"{record.name} has revision {record.revision}, not {revision}. Read it again."
        raise RunbookStale(message, details={"runbook": record.name, "have": record.revision, "want": revision})
    return record


def changed_fields(before: RunbookRecord, after: RunbookRecord) -> list[str]:
    """Return the names of the fields that differ; a secret that differs is a difference of the steps."""
    names = [name for name in TOLD if getattr(before, name) != getattr(after, name)]
    return sorted({"steps" if name == "secrets" else name for name in names})


def _plain_changes(verb: RunbookSet, before: RunbookRecord) -> dict[str, Any]:
    given = to_map(verb)
    changes: dict[str, Any] = {name: given[name] for name in ("name", "description") if name in given}
    if "traits" in given:
        changes["traits"] = tuple(sorted(set(given["traits"])))
    if "extra" in given:
        merged: Mapping[str, Any] = {**before.extra, **given["extra"]}
        changes["extra"] = {name: value for name, value in merged.items() if value is not None}
    return changes


def _check_name(index: RunbookIndex, name: str, own: RunbookRecord | None) -> None:
    holder = index.by_name.get(name)
    if holder is not None and (own is None or holder.uuid != own.uuid):
        message = f"Another runbook is called {name}. Choose another name, or change that one."
        raise RunbookExists(message, details={"name": name, "uuid": holder.uuid})
    if UUID_FORM.match(name.lower()):
        message = f"A runbook cannot be called {name}: it looks like a uuid. Choose another name."
        raise ArgumentInvalid(message, details={"path": "$.name"})


def _checked(record: RunbookRecord, path: str) -> RunbookRecord:
    """Refuse what no node could be allowed to do, and what is too much."""
    if not record.traits and not re.match(TRAIT_PATTERN, record.name):
        message = (
            f"A node needs {record.name} among its traits, and it cannot be one. Call the runbook CUSTOM_…, of A to Z, "
            "0 to 9 and _, or give it traits."
        )
        raise ArgumentInvalid(message, details={"path": "$.name"})
    held = [list(map(dict, record.steps)), {**record.secrets}, {**record.extra}]
    size = len(json.dumps(held, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MAX_RUNBOOK_BYTES:
        message = f"Its steps and extra would take {size} bytes; the limit is {MAX_RUNBOOK_BYTES}. Leave something out."
        raise ArgumentInvalid(message, details={"path": path})
    return record
