"""The parts of PROTOCOL.md that are made from the tables: verbs, results, errors, limits.

`python -m castiron.transport.document` rewrites them between their markers; a test compares. What the document says in
sentences is written by hand, in the document.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from msgspec import Struct

from castiron.transport import errors, events, frames, replies, verbs
from castiron.transport.codec import MAX_DEPTH, MAX_ITEMS
from castiron.transport.doors import publisher
from castiron.transport.events import PAYLOADS, EventView, Heartbeat
from castiron.transport.selection.conditions import Condition
from castiron.transport.session import DEFAULT_LIMITS
from castiron.transport.shapes import FieldShape, fields_of
from castiron.transport.vocabulary import EventType, Role

PROTOCOL: Final = Path(__file__).with_name("PROTOCOL.md")


def refreshed(text: str) -> str:
    """Return the document with every generated part made anew.

    Raises:
        ValueError: a marker is missing, or stands twice.
    """
    for name, lines in (
        ("limits", _limits()),
        ("verbs", _verbs()),
        ("roles", _roles()),
        ("conditions", _fields(Condition)),
        ("steps", _fields(verbs.StepWish)),
        ("results", _results()),
        ("errors", _errors()),
        ("events", _events()),
    ):
        begin, end = f"<!-- begin {name}: made by castiron.transport.document -->", f"<!-- end {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"PROTOCOL.md must have one part marked {begin!r}")
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = "\n".join([f"{before}{begin}", "", *lines, "", f"{end}{after}"])
    return text


def _limits() -> Iterator[str]:
    yield "| limit | value |"
    yield "|---|---|"
    yield f"| bytes of an id | 1 to {frames.MAX_ID_BYTES} |"
    yield f"| bytes of a request's body | {frames.MAX_MESSAGE_BYTES} |"
    yield f"| bytes of a reply's body | {frames.MAX_REPLY_BYTES} |"
    yield f"| entries of one array or map in a request | {MAX_ITEMS} |"
    yield f"| maps and arrays within each other in a request, the body included | {MAX_DEPTH} |"
    yield f"| entries of one page of a list | {verbs.MAX_LIST} |"
    yield f"| messages in flight, of one peer | {DEFAULT_LIMITS.in_flight_per_peer} |"
    yield f"| messages in flight, of all peers | {DEFAULT_LIMITS.in_flight} |"
    yield f"| bytes of a topic that is subscribed to | {publisher.MAX_SUBSCRIPTION_BYTES - 1} |"
    yield f"| bytes of a frame of an event | {events.MAX_EVENT_BYTES} |"
    yield f"| events that wait for one subscriber | {publisher.SEND_HIGH_WATER_MARK} |"
    yield f"| heartbeat interval | {DEFAULT_LIMITS.heartbeat_interval_s:g} s |"
    yield f"| liveness | {DEFAULT_LIMITS.liveness} intervals |"


def _verbs() -> Iterator[str]:
    codes = ", ".join(f"`{error.code}`" for error in verbs.COMMON_ERRORS)
    yield f"Every verb may be refused with {codes}."
    yield ""
    yield f"These become requests, and may have a `key`: {_tags(lambda verb: verb.becomes_request)}."
    yield ""
    yield (
        "These are not idempotent, so one whose reply was lost is sent again with its `key` or, where it has none, not "
        f"without a look: {_tags(lambda verb: not verb.idempotent)}."
    )
    for tag, verb in verbs.VERBS.items():
        yield ""
        yield f"#### `{tag}`"
        yield ""
        yield prose(verb)
        yield ""
        yield from _facts(tag, verb)
        if fields := fields_of(verb):
            yield ""
            yield from _arguments(fields)


def _tags(is_one: Callable[[type[verbs.Verb]], bool]) -> str:
    return ", ".join(f"`{tag}`" for tag, verb in verbs.VERBS.items() if is_one(verb))


def _facts(tag: str, verb: type[verbs.Verb]) -> Iterator[str]:
    is_foretold = "dry_run" in verb.__struct_fields__ and tag not in replies.PARTS
    forecast = f"; with `dry_run`, {_link(replies.Forecast)}" if is_foretold else ""
    part = f" Parts: {_link(replies.PARTS[tag])}." if tag in replies.PARTS else ""
    yield f"- Since {verb.version}. Result: {_link(replies.RESULTS[tag])}{forecast}.{part}"
    facts = [
        "Becomes a stored request" if verb.becomes_request else "Is answered at once",
        "idempotent" if verb.idempotent else "NOT idempotent",
        *(["refused while the conductor drains"] if verb.makes_work else []),
    ]
    yield f"- {'; '.join(facts)}."
    yield f"- Needs the role {verb.role}, where keys are in use."
    if verb.refusals:
        yield f"- May be refused with {_codes(verb.refusals)}."
    if issubclass(verb, verbs.NodeRequest):
        yield f"- The request may fail with {_codes(verb.failures)}."


def _roles() -> Iterator[str]:
    yield "| role | may | verbs |"
    yield "|---|---|---|"
    meanings = docstrings(Role)
    for role in Role:
        tags = ", ".join(f"`{tag}`" for tag, verb in verbs.VERBS.items() if verb.role is role)
        yield f"| `{role}` | {cell(meanings[role.name])} | {tags} |"


def _arguments(fields: list[FieldShape]) -> Iterator[str]:
    yield "| argument | type | default | meaning |"
    yield "|---|---|---|---|"
    for field in fields:
        default = "required" if field.required else f"`{field.default}`" if field.default else "absent: unchanged"
        yield f"| `{field.name}` | {cell(field.type)} | {default} | {cell(field.meaning)} |"


def _results() -> Iterator[str]:
    used: list[type[Struct]] = [
        *dict.fromkeys(replies.RESULTS.values()),
        *replies.PARTS.values(),
        replies.BulkOutcome,
        replies.RequestSummary,
        replies.StepView,
        replies.TraceStep,
        replies.Finding,
        replies.RecordHeader,
        replies.RunbookSummary,
        replies.Forecast,
        replies.Gauge,
        replies.StoreView,
        replies.RequestCounts,
        replies.CheckCounts,
        replies.TimerCounts,
        replies.MailboxCounts,
        replies.SlowTurns,
        replies.RunningTurn,
        replies.KeptEvents,
        EventView,
        Heartbeat,
    ]
    for struct in used:
        yield f"#### {struct.__name__}"
        yield ""
        yield prose(struct)
        yield ""
        yield "| field | type | if absent | meaning |"
        yield "|---|---|---|---|"
        meanings = docstrings(struct)
        for field in fields_of(struct):
            default = "always there" if field.required else f"`{field.default}`"
            yield f"| `{field.name}` | {cell(field.type)} | {default} | {cell(meanings.get(field.name, ''))} |"
        yield ""


def _fields(asked: type[Struct]) -> Iterator[str]:
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    meanings = docstrings(asked)
    for field in fields_of(asked):
        default = "required" if field.required else f"`{field.default}`"
        yield f"| `{field.name}` | {cell(field.type)} | {default} | {cell(meanings[field.name])} |"


def _errors() -> Iterator[str]:
    yield "| code | source | retry | meaning |"
    yield "|---|---|---|---|"
    for code, error in errors.WIRE_ERRORS.items():
        yield f"| `{code}` | {error.source.value} | {error.retry.value} | {cell(prose(error))} |"


def _events() -> Iterator[str]:
    yield "| type | payload | meaning |"
    yield "|---|---|---|"
    meanings = docstrings(EventType)
    for word in EventType:
        keys = ", ".join(f"`{key}`" for key in PAYLOADS[word])
        yield f"| `{word}` | {keys} | {cell(meanings[word.name])} |"


def prose(thing: type) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join(inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].split())


def _codes(classes: tuple[type[errors.CastironError], ...]) -> str:
    return ", ".join(f"`{error.code}`" for error in classes)


def _link(struct: type[Struct]) -> str:
    return f"[{struct.__name__}](#{struct.__name__.lower()})"


def cell(text: str) -> str:
    """Return text that may stand in a table."""
    return text.replace("|", "\\|")


def docstrings(source: type) -> dict[str, str]:
    """Return the strings that stand below fields or members in the source; Python itself does not keep them."""
    (tree,) = ast.parse(inspect.getsource(source)).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        name: " ".join(str(note.value.value).split())
        for field, note in pairwise(body)
        if (name := _name(field)) and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant)
    }


def _name(statement: ast.stmt) -> str:
    """Return what a statement gives a value or a type to; empty if it is none of these."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case _:
            return ""


if __name__ == "__main__":
    PROTOCOL.write_text(refreshed(PROTOCOL.read_text(encoding="utf-8")), encoding="utf-8")
