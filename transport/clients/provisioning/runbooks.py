"""A client's verbs about runbooks: lists of steps that are stored under a name."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from msgspec import structs

from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.provisioning.moves import AnyStep, step_of
from castiron.transport.replies import Forecast, RunbookDeleted, RunbookListed, RunbookSummary, RunbookView
from castiron.transport.verbs import (
    MAX_LIST,
    RunbookCreate,
    RunbookDelete,
    RunbookList,
    RunbookSet,
    RunbookShow,
)


class Words(TypedDict, total=False):
    """What a runbook has beside its name and its steps."""

    description: str | None
    """What it is for; at most 255 characters."""
    traits: Sequence[str]
    """A node needs one of them; none: it needs the name."""
    extra: Mapping[str, Any]
    """Free; of a runbook that there is, a key is set, or removed where None."""


class Changes(Words, total=False):
    """What can be changed of one that there is."""

    name: str
    steps: Sequence[AnyStep]
    """They replace those that it has; a secret that comes masked stays as it is."""


class AsyncRunbooks:
    """Keeps runbooks. Not to be made by hand: `client.runbooks` is one. Thread: that of its client."""

    def __init__(self, conversation: Conversation, *, timeout_s: float) -> None:
        self._conversation = conversation
        self._timeout_s = timeout_s

    async def create(self, name: str, steps: Sequence[AnyStep], **words: Unpack[Words]) -> RunbookView:
        """Store a list of steps under a name; it is on disk when this returns.

            client.runbooks.create("CUSTOM_PAUSE", ["power_off", {"step": "wait", "args": {"seconds": 5}}, "power_on"])

        Args:
            name: CUSTOM_… or another trait; with traits of its own, any name.
            steps: at least one; each a map with its fields, or only its name.
            words: what it has beside them.

        Raises:
            RunbookExists: another one has the name.
            StepInvalid: a step is unknown, or its arguments are wrong; the error says where.
        """
        return await self._conversation.ask(new_runbook(name, steps, **words), RunbookView, self._timeout_s)

    async def show(self, runbook: str) -> RunbookView:
        """Return a runbook, by name or uuid; secrets are masked.

        Raises:
            RunbookNotFound: there is none.
        """
        return await self._conversation.ask(RunbookShow(runbook=runbook), RunbookView, self._timeout_s)

    async def list(self, *, node: str | None = None) -> list[RunbookSummary]:
        """Return all runbooks, sorted by name, without their steps.

        Args:
            node: only those that this node has a trait for; None: all.
        """
        return [one async for one in self._each(node)]

    async def page(self, *, node: str | None = None, limit: int = MAX_LIST, marker: str | None = None) -> RunbookListed:
        """Return one page of that list.

        Args:
            node: as `list`.
            limit: this many at the most.
            marker: the `next_marker` of the page before.
        """
        verb = RunbookList(node=node, limit=limit, marker=marker)
        return await self._conversation.ask(verb, RunbookListed, self._timeout_s)

    async def set(self, runbook: str, *, revision: int | None = None, **changes: Unpack[Changes]) -> RunbookView:
        """Change a runbook; requests that were accepted with it keep the steps that it had then.

        Args:
            runbook: name or uuid.
            revision: change it only if it still has this one.
            changes: what becomes another; the rest stays.

        Raises:
            RunbookNotFound, RunbookStale: there is none, or it has another revision.
            RunbookExists, StepInvalid: as `create`.
        """
        return await self._conversation.ask(changed_runbook(runbook, revision, **changes), RunbookView, self._timeout_s)

    async def delete(self, runbook: str, *, revision: int | None = None) -> RunbookDeleted:
        """Forget a runbook; requests that were accepted with it go on.

        Args:
            runbook: name or uuid.
            revision: only if it still has this one.

        Raises:
            RunbookNotFound, RunbookStale: as `set`.
        """
        verb = RunbookDelete(runbook=runbook, revision=revision)
        return await self._conversation.ask(verb, RunbookDeleted, self._timeout_s)

    async def check(self, name: str, steps: Sequence[AnyStep], **words: Unpack[Words]) -> Forecast:
        """Have a runbook judged as if it were stored under its name now, and store nothing.

        Raises:
            ArgumentInvalid, StepInvalid: it would be refused; the error says where.
        """
        is_there = name in [one.name async for one in self._each(None)]
        verb = changed_runbook(name, None, steps=steps, **words) if is_there else new_runbook(name, steps, **words)
        return await self._conversation.ask(structs.replace(verb, dry_run=True), Forecast, self._timeout_s)

    async def _each(self, node: str | None) -> AsyncIterator[RunbookSummary]:
        marker: str | None = None
        while True:
            page = await self.page(node=node, marker=marker)
            for one in page.runbooks:
                yield one
            marker = page.next_marker
            if marker is None:
                return


def new_runbook(name: str, steps: Sequence[AnyStep], **words: Unpack[Words]) -> RunbookCreate:
    """Return the verb of `Runbooks.create`."""
    return RunbookCreate(name=name, **_fields({**words, "steps": steps}))


def changed_runbook(runbook: str, revision: int | None, **changes: Unpack[Changes]) -> RunbookSet:
    """Return the verb of `Runbooks.set`."""
    return RunbookSet(runbook=runbook, revision=revision, **_fields(changes))


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return them as the fields of a verb; the codec checks them before they are sent, and says what is wrong where."""
    fields = dict(given)
    if "steps" in fields:
        fields["steps"] = [step_of(one) for one in fields["steps"]]
    return fields | ({"traits": [*fields["traits"]]} if "traits" in fields else {})
