"""Lists of nodes as PROTOCOL.md describes them, written as simply as can be: what other answers are compared with.

Shares no code with `transport.selection` but its errors: fields are looked up, compared and sorted here anew.
"""

import json
from fnmatch import fnmatchcase
from typing import Any

from msgspec import to_builtins

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.replies import NodeListed, NodeView
from castiron.transport.selection.conditions import Condition, check
from castiron.transport.selection.fields import kind_of
from castiron.transport.verbs import NodeList


def listed(views: list[NodeView], verb: NodeList) -> NodeListed:
    check(verb.where)
    if verb.sort is not None:
        kind_of(verb.sort, "$.sort")
    ordered = in_order([view for view in views if all(holds(one, view) for one in verb.where)], verb)
    if verb.marker is not None:
        ordered = behind(ordered, verb)
    page = ordered[: verb.limit]
    is_more = len(ordered) > len(page)
    return NodeListed(nodes=page, next_marker=mark(page[-1], verb) if is_more else None)


def looked_up(view: NodeView, path: str) -> Any:
    return inside(to_builtins(view), path)


def inside(value: Any, path: str) -> Any:
    if not hasattr(value, "keys"):
        return None
    if path in value:
        return value[path]
    head, dot, rest = path.partition(".")
    return inside(value.get(head), rest) if dot else None


def holds(condition: Condition, view: NodeView) -> bool:
    stored, wanted = looked_up(view, condition.field), condition.value
    entries: list[Any] = [stored] if wanted is None or type(stored) is not list else [*stored]
    match condition.op.value:
        case "=":
            return any(same(one, wanted) for one in entries)
        case "!=":
            return not any(same(one, wanted) for one in entries)
        case "in":
            assert isinstance(wanted, list)
            return any(same(one, choice) for one in entries for choice in wanted)
        case "~" | "!~":
            fits = any(one is not None and fnmatchcase(text_of(one), str(wanted)) for one in entries)
            return fits == (condition.op.value == "~")
        case sign:
            return any(compared(one, wanted, sign) for one in entries)


def same(stored: Any, wanted: Any) -> bool:
    if wanted is None:
        return stored is None or stored in ([], {})
    if type(stored) is bool or type(wanted) is bool:
        return text_of(stored) == text_of(wanted) and not {type(stored), type(wanted)} & {int, float}
    return compared(stored, wanted, "==")


def compared(stored: Any, wanted: Any, sign: str) -> bool:
    if not (isinstance(stored, str) and isinstance(wanted, str)):
        stored, wanted = as_number(stored), as_number(wanted)
    if stored is None or wanted is None:
        return False
    verdicts = {"==": stored == wanted, "<": stored < wanted, "<=": stored <= wanted, ">": stored > wanted}
    return bool(verdicts.get(sign, stored >= wanted))


def as_number(value: Any) -> float | None:
    if type(value) not in {int, float, str}:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number - number == 0 else None


def text_of(value: Any) -> str:
    if type(value) is bool:
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""


def in_order(views: list[NodeView], verb: NodeList) -> list[NodeView]:
    field = verb.sort or "name"
    ordered = sorted(views, key=lambda view: view.uuid)
    having = [view for view in ordered if looked_up(view, field) is not None]
    lacking = [view for view in ordered if looked_up(view, field) is None]
    having.sort(key=lambda view: rank(looked_up(view, field)), reverse=verb.descending)
    return having + lacking


def rank(value: Any) -> tuple[int, Any]:
    if isinstance(value, int | float):
        return (0, value)
    return (1, (value if isinstance(value, str) else json.dumps(value, sort_keys=True))[:256])


def mark(view: NodeView, verb: NodeList) -> str:
    if verb.sort is None:
        return view.name
    value = looked_up(view, verb.sort)
    return json.dumps([value if value is None else rank(value)[1], view.uuid])


def behind(ordered: list[NodeView], verb: NodeList) -> list[NodeView]:
    """Leave out what comes before a mark, which is found by putting it among the others."""
    if verb.sort is None:
        later = [view for view in ordered if (view.name < str(verb.marker)) == verb.descending]
        return [view for view in later if view.name != verb.marker]
    try:
        value, uuid = json.loads(str(verb.marker))
    except ValueError:
        raise ArgumentInvalid("No marker.", details={"path": "$.marker"}) from None
    left: list[NodeView] = []
    for view in ordered:
        mine = looked_up(view, verb.sort)
        if (mine is None) != (value is None):
            is_later = mine is None
        elif mine is None or rank(mine) == rank(value):
            is_later = view.uuid > uuid
        else:
            is_later = (rank(mine) > rank(value)) != verb.descending
        if is_later:
            left.append(view)
    return left
