"""The runbooks of a small conductor in memory; which there may be is the conductor's own decision."""

import time
import uuid

from castiron.actors.core.provision.catalogue import OWN
from castiron.actors.core.runbooks.index import RunbookIndex
from castiron.actors.core.runbooks.judging import (
    Circumstances,
    changed_fields,
    found,
    judge_create,
    judge_delete,
    judge_set,
)
from castiron.actors.core.runbooks.steps import wishes_of
from castiron.actors.core.runbooks.telling import about, runbook_view, summary
from castiron.store.records import RunbookPut, RunbookRecord, RunbookRemove
from castiron.transport import errors, verbs
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.replies import Forecast, NodeView, RunbookDeleted, RunbookListed
from castiron.transport.vocabulary import EventType, Instant, RunbookUUID, Would
from tests.support.memory_requests import MemoryRequests

AnyRunbookVerb = verbs.AnyRunbookChange | verbs.RunbookShow | verbs.RunbookList


class MemoryRunbooks(MemoryRequests):
    """Keeps runbooks. Whoever calls holds the conductor's lock."""

    runbooks = RunbookIndex()

    def of_runbooks(self, verb: AnyRunbookVerb, who: PeerInfo, answer: Answer) -> None:
        match verb:
            case verbs.RunbookShow():
                answer.final(runbook_view(found(self.runbooks, verb.runbook), OWN), self.events.seq)
            case verbs.RunbookList():
                self._list_runbooks(verb, answer)
            case _:
                self._change_runbook(verb, who, answer)

    def _change_runbook(self, verb: verbs.AnyRunbookChange, who: PeerInfo, answer: Answer) -> None:
        now = Instant(time.time())
        given = Circumstances(uuid=RunbookUUID(str(uuid.uuid4())), now=now, catalogue=OWN)
        event: EventType | None
        match verb:
            case verbs.RunbookCreate():
                record, event = judge_create(self.runbooks, verb, given), EventType.RUNBOOK_CREATE_END
            case verbs.RunbookSet():
                before, record = judge_set(self.runbooks, verb, given)
                event = EventType.RUNBOOK_UPDATE_END if changed_fields(before, record) else None
            case verbs.RunbookDelete():
                record, event = judge_delete(self.runbooks, verb), EventType.RUNBOOK_DELETE_END
        if verb.dry_run:
            text = f"{record.name} would be so."
            return answer.final(Forecast(would=Would.CHANGE, text=text), self.events.seq)
        self._check_store()
        removed = isinstance(verb, verbs.RunbookDelete)
        self.runbooks = self.runbooks.after(RunbookRemove(record=record) if removed else RunbookPut(record=record))
        if event is not None:
            self.events.happen(event, None, **about(record, who.who))
        told = RunbookDeleted(uuid=record.uuid, name=record.name) if removed else runbook_view(record, OWN)
        return answer.final(told, self.events.seq)

    def _list_runbooks(self, verb: verbs.RunbookList, answer: Answer) -> None:
        traits = None if verb.node is None else self._node(verb.node).traits
        fit = [one for one in self.runbooks.sorted(verb.marker) if traits is None or _wanted(one) & {*traits}]
        marker = fit[verb.limit - 1].name if len(fit) > verb.limit else None
        page = [summary(one, OWN) for one in fit[: verb.limit]]
        answer.final(RunbookListed(runbooks=page, next_marker=marker), self.events.seq)

    def _expanded(self, verb: verbs.NodeProvisionSet, node: NodeView) -> tuple[verbs.NodeProvisionSet, str | None]:
        """Return the verb with the steps of its runbook, and what that is called."""
        if verb.runbook is None:
            return verb, None
        if verb.steps is not None:
            raise errors.ArgumentInvalid("Not both.", details={"path": "$.runbook"})
        record = found(self.runbooks, verb.runbook)
        if not _wanted(record) & {*node.traits}:
            details = {"node": node.name, "runbook": record.name, "wants": [*_wanted(record)], "traits": node.traits}
            raise errors.RunbookTraitMissing("No such trait.", details=details)
        return verb.with_steps(wishes_of(record)), record.name


def _wanted(record: RunbookRecord) -> set[str]:
    return {*record.traits} or {record.name}
