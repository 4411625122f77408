"""What a shell is offered for the word under the cursor: names that the conductor has, fields that there are.

Somebody has pressed a key and waits: one question with a short time-out, few answers, and whatever goes wrong is
nothing to offer. Nothing is ever printed.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from click.shell_completion import CompletionItem

from castiron.cli.options import shared
from castiron.cli.reach import absence, own_name
from castiron.transport.clients.blocking.client import Client
from castiron.transport.endpoint import default_endpoint
from castiron.transport.replies import AllocationListed, NodeListed, NodeView, RequestListed, RunbookListed
from castiron.transport.selection.text import parsed
from castiron.transport.verbs import AllocationList, NodeList, RequestList, RunbookList, Verb
from castiron.transport.vocabulary import FINAL_REQUEST_STATES

ANSWER_S: Final = 0.8
"""How long a conductor may take: after a second without an effect, people press the key again."""

MAX_OFFERED: Final = 200
"""Names: shells ask before they print more than a hundred or so."""

_Reply = TypeVar("_Reply")

_ELEMENT: Final = re.compile(r"(.*[,!&^])?([A-Za-z0-9_.-]*)\Z")
"""What stands before the name under the cursor, and how the name begins."""


def completions(kind: str, incomplete: str) -> list[CompletionItem]:
    """Return what may stand there. Never raises."""
    try:
        return list(_OFFERS[kind](incomplete))[:MAX_OFFERED]
    except Exception:  # noqa: BLE001 - a fault here would be printed into the middle of what somebody types
        return []


def _nodes(incomplete: str) -> Iterable[CompletionItem]:
    where = parsed([f"name={incomplete}*"]) if incomplete else ()
    listed = _asked(NodeList(where=list(where), limit=MAX_OFFERED), NodeListed)
    for one in listed.nodes if listed else ():
        told = one.power_state or "unknown"
        yield CompletionItem(one.name, help=f"{told}, {one.provision_state}")


def _node(incomplete: str) -> Iterable[CompletionItem]:
    return _nodes(incomplete) if (found := _ELEMENT.match(incomplete)) and not found[1] else ()


def _range(incomplete: str) -> Iterable[CompletionItem]:
    """Complete the last name of a list or of what operators join; brackets are the typist's own."""
    found = _ELEMENT.match(incomplete)
    if found is None:
        return
    before, begun = found[1] or "", found[2]
    for item in _nodes(begun):
        yield CompletionItem(f"{before}{item.value}", help=item.help)


def _requests(incomplete: str) -> Iterable[CompletionItem]:
    listed = _asked(RequestList(limit=MAX_OFFERED), RequestListed)
    for one in listed.requests if listed else ():
        if one.id.startswith(incomplete) and one.state not in FINAL_REQUEST_STATES:
            yield CompletionItem(one.id, help=f"{one.node}: {one.verb}, {one.state}")


def _runbooks(incomplete: str) -> Iterable[CompletionItem]:
    listed = _asked(RunbookList(), RunbookListed)
    for one in listed.runbooks if listed else ():
        if one.name.startswith(incomplete):
            yield CompletionItem(one.name)


def _allocations(incomplete: str) -> Iterable[CompletionItem]:
    listed = _asked(AllocationList(), AllocationListed)
    for one in listed.allocations if listed else ():
        if (named := one.name or one.uuid).startswith(incomplete):
            yield CompletionItem(named, help=str(one.state))


def _field(incomplete: str) -> Iterable[CompletionItem]:
    return [CompletionItem(name) for name in NodeView.__struct_fields__ if name.startswith(incomplete)]


def _fields(incomplete: str) -> Iterable[CompletionItem]:
    before, comma, begun = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{item.value}") for item in _field(begun)]


def _file(incomplete: str) -> Iterable[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


_OFFERS: Final[Mapping[str, Callable[[str], Iterable[CompletionItem]]]] = {
    "node": _node,
    "range": _range,
    "request": _requests,
    "runbook": _runbooks,
    "allocation": _allocations,
    "field": _field,
    "fields": _fields,
    "file": _file,
}


def _asked(verb: Verb, kind: type[_Reply]) -> _Reply | None:
    """Return what the conductor answers at once; None if it does not."""
    given = shared()
    endpoint = given.endpoint or default_endpoint(os.environ)
    if absence(endpoint) is not None:
        return None
    with Client(
        endpoint,
        timeout_s=ANSWER_S,
        patience_s=ANSWER_S,
        key=given.key,
        server_key=given.server_key,
        name=own_name(),
    ) as client:
        ((_, answer),) = client.send_many([verb])
    return answer if isinstance(answer, kind) else None
