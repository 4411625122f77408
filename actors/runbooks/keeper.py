"""Who keeps the runbooks: a part of the fleet's actor, which decides about what belongs to the fleet.

A thin shell around `core.runbooks`. Each change is one commit with its event; whoever asked is answered from it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from castiron.actors.asking import Asked
from castiron.actors.core.runbooks import telling
from castiron.actors.core.runbooks.index import RunbookChange
from castiron.actors.core.runbooks.judging import (
    Circumstances,
    changed_fields,
    judge_create,
    judge_delete,
    judge_set,
)
from castiron.actors.nodes.reporter import RECOVERY_PAUSE_S
from castiron.actors.runbooks.published import Ticket
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Seat
from castiron.store.errors import StaleRevision, StoreError
from castiron.store.records import Change, Commit, EventDraft, RunbookPut, RunbookRecord, RunbookRemove
from castiron.transport.errors import CastironError, ConductorOverloaded, StoreUnavailable
from castiron.transport.replies import Forecast, RunbookDeleted, RunbookView
from castiron.transport.verbs import AnyRunbookChange, RunbookCreate, RunbookDelete, RunbookSet
from castiron.transport.vocabulary import EventType, RunbookUUID, StepKind, Would

RETRY_AFTER_S = 0.5
"""A change that was lost with the one before it can be asked for again at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRunbook:
    """A user wants a runbook stored, changed or forgotten."""

    is_control: ClassVar[bool] = False

    verb: AnyRunbookChange
    requester: str
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookWritten:
    """The outcome of a runbook's commit has come."""

    is_control: ClassVar[bool] = True

    ticket: Ticket
    change: RunbookChange
    asked: Asked
    outcome: Commit | StoreError


class RunbookKeeper:
    """Decides about runbooks. Thread: that of the fleet's actor.

    Args:
        seat: the fleet's, where outcomes find its actor or a successor.
    """

    def __init__(self, services: Services, seat: Seat) -> None:
        self._services = services
        self._seat = seat

    def change(self, message: ChangeRunbook) -> None:
        """Decide, and have it committed.

        Raises:
            CastironError: it is refused; nothing was changed.
        """
        match message.verb:
            case RunbookCreate():
                self._create(message, message.verb)
            case RunbookSet():
                self._set(message, message.verb)
            case RunbookDelete():
                self._delete(message, message.verb)

    def written(self, message: RunbookWritten) -> None:
        """Show what is on disk, and answer."""
        landed = isinstance(message.outcome, Commit)
        self._services.runbooks.end(message.ticket, landed=landed)
        if not isinstance(message.outcome, Commit):
            return message.asked.refused(_not_written(message.outcome), self._services.board.seq)
        record = message.change.record
        if isinstance(message.change, RunbookPut):
            return message.asked.answered(self._view(record), message.outcome.seq)
        return message.asked.answered(RunbookDeleted(uuid=record.uuid, name=record.name), message.outcome.seq)

    def _create(self, message: ChangeRunbook, verb: RunbookCreate) -> None:
        record = judge_create(self._services.runbooks.decided, verb, self._circumstances())
        if verb.dry_run:
            text = f"{record.name} would be stored, with {_steps(record)}, for {_lists(self._view(record).kinds)}."
            return self._foretell(message, Would.CREATE, text)
        told: dict[str, Any] = {"steps": [telling.step_name(step) for step in record.steps]}
        return self._commit(message, RunbookPut(record=record), EventType.RUNBOOK_CREATE_END, told)

    def _set(self, message: ChangeRunbook, verb: RunbookSet) -> None:
        before, after = judge_set(self._services.runbooks.decided, verb, self._circumstances())
        changed = changed_fields(before, after)
        if verb.dry_run:
            text = f"{before.name}: {', '.join(changed) or 'nothing'} would change."
            return self._foretell(message, Would.CHANGE if changed else Would.NOTHING, text, changed)
        if not changed:
            index, seq = self._services.runbooks.look(self._services.board)
            return message.asked.answered(self._view(index.by_uuid.get(before.uuid, before)), seq)
        told = telling.told_changes(before, after)
        return self._commit(message, RunbookPut(record=after), EventType.RUNBOOK_UPDATE_END, told)

    def _delete(self, message: ChangeRunbook, verb: RunbookDelete) -> None:
        record = judge_delete(self._services.runbooks.decided, verb)
        if verb.dry_run:
            return self._foretell(message, Would.DELETE, f"{record.name} would be forgotten.")
        return self._commit(message, RunbookRemove(record=record), EventType.RUNBOOK_DELETE_END, {})

    def _commit(self, message: ChangeRunbook, change: RunbookChange, event: EventType, told: Mapping[str, Any]) -> None:
        services = self._services
        payload = {**telling.about(change.record, message.requester), **told}
        draft = EventDraft(type=event, at=services.clock.now(), payload=payload)
        ticket = services.runbooks.begin(change, services.board.seq)
        tell = partial(_tell_written, self._seat, ticket, change, message.asked)
        services.writer.submit(Change(runbook=change, events=(draft,)), tell)

    def _circumstances(self) -> Circumstances:
        services = self._services
        return Circumstances(
            uuid=RunbookUUID(services.new_id()),
            now=services.clock.now(),
            catalogue=services.workers.shelf.catalogue,
        )

    def _view(self, record: RunbookRecord) -> RunbookView:
        return telling.runbook_view(record, self._services.workers.shelf.catalogue)

    def _foretell(self, message: ChangeRunbook, would: Would, text: str, changed: list[str] | None = None) -> None:
        message.asked.answered(Forecast(would=would, text=text, changed=changed or []), self._services.board.seq)


def _tell_written(
    seat: Seat, ticket: Ticket, change: RunbookChange, asked: Asked, outcome: Commit | StoreError
) -> None:
    """Bring the outcome to whoever is the fleet's actor now. Runs on the writer's thread."""
    seat.tell(RunbookWritten(ticket=ticket, change=change, asked=asked, outcome=outcome))


def _steps(record: RunbookRecord) -> str:
    return f"{len(record.steps)} step{'s' if len(record.steps) != 1 else ''}"


def _lists(kinds: Collection[StepKind]) -> str:
    return "lists of every kind" if len(kinds) == len(StepKind) else f"lists of the kinds {', '.join(kinds)}"


def _not_written(error: StoreError) -> CastironError:
    if isinstance(error, StaleRevision):
        return ConductorOverloaded(
            "The change before this one was lost with a failed write, and this one with it. Ask for it again.",
            details={"what": "fleet"},
            retry_after_s=RETRY_AFTER_S,
        )
    return StoreUnavailable(
        f"{error}. Nothing was changed.", details={"reason": str(error)}, retry_after_s=RECOVERY_PAUSE_S
    )
