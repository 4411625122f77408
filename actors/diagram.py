"""The provision state machine as a picture and as text, made from its tables.

    python -m castiron.actors.diagram

rewrites docs/states.svg and transport/states.txt, which `castiron docs states` prints; a test keeps both in step. May
come in: another form of the same tables. Must not: a transition that they do not have.
"""

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from castiron.actors.core.provision.courses import KINDS
from castiron.actors.core.provision.states import ABORTS, STABLE, TARGETS, TRANSITIONS, WORKING, after
from castiron.transport.vocabulary import ProvisionEvent as On
from castiron.transport.vocabulary import ProvisionState as In

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = ROOT / "docs" / "states.svg"
TEXT: Final = ROOT / "transport" / "states.txt"

OURS: Final = "*"
"""Stands behind an event that the reference does not have in that state."""


class Edge(NamedTuple):
    """Where events lead from a state; several that lead to the same are one edge."""

    at: In
    to: In
    events: tuple[str, ...]


class Lane(NamedTuple):
    """The states that one kind of work goes through: at work, waiting, held, failed; None: it has no such state."""

    name: str
    places: tuple[In | None, ...]


def edges() -> list[Edge]:
    """Return all transitions, in the order of the tables."""
    found: dict[tuple[In, In], list[str]] = {}
    for table, mark in ((TRANSITIONS, ""), (ABORTS, OURS)):
        for (at, event), row in table.items():
            found.setdefault((at, row.to), []).append(f"{event}{mark}")
    return [Edge(at, to, tuple(events)) for (at, to), events in found.items()]


def lanes() -> list[Lane]:
    """Return a lane for each state with work."""
    return [Lane(kind.value, (stage, *_asides(stage))) for stage, kind in KINDS.items()]


def kind_of(state: In) -> str:
    """Say in a word or two what a state is."""
    if state in STABLE:
        return "stable"
    if state in WORKING:
        return "working"
    lane = next(lane for lane in lanes() if state in lane.places)
    return ("", "waiting", "held", "failed")[lane.places.index(state)]


def text() -> str:
    """Return all transitions as a table for a terminal."""
    rows: list[tuple[str, ...]] = [("STATE", "", "TARGET", "EVENT", "LEADS TO", "BECAUSE")]
    for state in In:
        head = (state.value, kind_of(state), TARGETS[state].value if state in TARGETS else "-")
        for table, mark in ((TRANSITIONS, ""), (ABORTS, OURS)):
            for (at, event), row in table.items():
                if at is state:
                    rows.append((*head, f"{event}{mark}", row.to.value, row.why))
                    head = ("", "", "")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join([*lines, "", f"{OURS} castiron's own; the others are Ironic's.", ""])


# The picture: a row of the stable states, then a lane for each kind of work.

WIDTH: Final = 1420
COLUMNS: Final = (330, 560, 790, 1020)
BOX_WIDTH: Final = 130
BOX_HEIGHT: Final = 34
TOP: Final = 150
LANE_HEIGHT: Final = 176
LINE: Final = 16
ARC: Final = 24
"""How much higher an arrow is for each column that it passes over."""

STYLE: Final = """\
text { font: 12px sans-serif; fill: #1f2328; }
.lane { font-weight: bold; font-size: 15px; }
.event { font-size: 11px; fill: #57606a; }
rect { fill: #ffffff; stroke: #57606a; }
.ground { stroke: none; }
.stable { fill: #dafbe1; }
.work { fill: #ddf4ff; }
.failed { fill: #ffebe9; }
path { fill: none; stroke: #57606a; marker-end: url(#head); }
line { stroke: #d0d7de; }"""

HEAD: Final = """\
<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<polygon points="0,0 8,4 0,8" fill="#57606a"/></marker></defs>"""


def picture() -> str:
    """Return the picture as SVG."""
    height = TOP + LANE_HEIGHT * len(KINDS) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The provision states of a node</title>",
        f"<style>\n{STYLE}\n</style>",
        HEAD,
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        *_stable_row(),
    ]
    for number, lane in enumerate(lanes()):
        parts += _lane(lane, TOP + LANE_HEIGHT * number)
    parts += [_words(20, height - 14, f"{OURS} castiron's own; the others are Ironic's."), "</svg>", ""]
    return "\n".join(parts)


def _asides(stage: In) -> Iterator[In | None]:
    for event in (On.WAIT, On.HOLD, On.FAIL):
        to = after(stage, event)
        yield None if to in STABLE else to


def _stable_row() -> Iterator[str]:
    places = {state: 40 + 225 * number for number, state in enumerate(state for state in In if state in STABLE)}
    yield _words(20, 28, "Where a node may stay", "lane")
    for state, x in places.items():
        yield _box(state, x, 80)
    for edge in edges():
        if edge.at in places and edge.to in places:
            begin, end = places[edge.at] + BOX_WIDTH // 2, places[edge.to] + BOX_WIDTH // 2
            yield from _arc(edge, begin, end, 80 - BOX_HEIGHT // 2, -ARC)


def _lane(lane: Lane, top: int) -> Iterator[str]:
    middle = top + LANE_HEIGHT // 2
    columns = {state: x for state, x in zip(lane.places, COLUMNS, strict=True) if state is not None}
    yield f'<line x1="0" y1="{top}" x2="{WIDTH}" y2="{top}"/>'
    yield _words(20, top + 24, lane.name, "lane")
    for state, x in columns.items():
        yield _box(state, x, middle)
    coming = (f"{edge.at}: {_told(edge)}" for edge in edges() if edge.to in columns and edge.at not in columns)
    going = (
        f"{edge.at}: {_told(edge)} → {edge.to}" for edge in edges() if edge.at in columns and edge.to not in columns
    )
    yield from _list(130, middle, coming)
    yield from _list(COLUMNS[-1] + BOX_WIDTH + 20, middle, going)
    for edge in edges():
        if edge.at in columns and edge.to in columns:
            yield from _arrow(edge, columns[edge.at], columns[edge.to], middle)


def _arrow(edge: Edge, at: int, to: int, middle: int) -> Iterator[str]:
    """Draw an arrow within a lane: rightwards above the middle, leftwards below it, higher the further it goes."""
    steps = abs(COLUMNS.index(to) - COLUMNS.index(at))
    side = -1 if to > at else 1
    if steps > 1:
        shift = BOX_WIDTH // 2 + 10 * side
        yield from _arc(edge, at + shift, to + shift, middle + side * BOX_HEIGHT // 2, side * ARC * (steps - 1))
        return
    begin, end = (at + BOX_WIDTH, to) if to > at else (at, to + BOX_WIDTH)
    y = middle + 9 * side
    yield f'<path d="M{begin},{y} L{end},{y}"/>'
    yield _words((begin + end) // 2, y + (13 if side > 0 else -5), _told(edge), "event", anchor="middle")


def _arc(edge: Edge, begin: int, end: int, y: int, height: int) -> Iterator[str]:
    """Draw an arrow that bows by `height`, upwards where that is negative."""
    control = y + 2 * height
    yield f'<path d="M{begin},{y} Q{(begin + end) // 2},{control} {end},{y}"/>'
    yield _words((begin + end) // 2, y + height + (12 if height > 0 else -4), _told(edge), "event", anchor="middle")


def _box(state: In, x: int, middle: int) -> str:
    look = {"stable": "stable", "working": "work", "failed": "failed"}.get(kind_of(state), "aside")
    y = middle - BOX_HEIGHT // 2
    box = f'<rect class="{look}" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
    return f"{box}\n{_words(x + BOX_WIDTH // 2, middle + 4, state.value, anchor='middle')}"


def _list(x: int, middle: int, lines: Iterable[str]) -> Iterator[str]:
    shown = list(lines)
    for number, line in enumerate(shown):
        yield _words(x, middle + 4 + int((number - (len(shown) - 1) / 2) * LINE), line, "event")


def _words(x: int, y: int, words: str, look: str = "state", *, anchor: str = "start") -> str:
    return f'<text class="{look}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def _told(edge: Edge) -> str:
    return ", ".join(edge.events)


def main() -> None:
    """Rewrite both files."""
    PICTURE.write_text(picture(), encoding="utf-8")
    TEXT.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
