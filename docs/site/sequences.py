"""The pictures of docs/explanation/when.md: who tells whom what, one after the other, when something goes wrong.

    python -m docs.site.sequences

rewrites them as SVG; a test keeps them in step. A story is a list of lines; where they stand is computed. May come in:
another story. Must not: a picture that is drawn by hand.
"""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).resolve().parents[1] / "explanation"

COLUMN: Final = 190
ROW: Final = 34
TOP: Final = 60
MARGIN: Final = 95


class Say(NamedTuple):
    """One tells another something; `is_lost` if it never arrives."""

    by: str
    to: str
    what: str
    is_lost: bool = False


class Note(NamedTuple):
    """Something happens at one, or to one."""

    at: str
    what: str
    is_bad: bool = False


class Story(NamedTuple):
    """Who is in it, from left to right, and what happens, from top to bottom."""

    title: str
    who: tuple[str, ...]
    lines: tuple[Say | Note, ...]


STORIES: Final[dict[str, Story]] = {
    "bmc-dies": Story(
        "A BMC dies",
        ("the clock", "the node's actor", "the IPMI engine", "the BMC", "the store"),
        (
            Say("the clock", "the node's actor", "a check is due"),
            Say("the node's actor", "the IPMI engine", "read the power"),
            Say("the IPMI engine", "the BMC", "one datagram", is_lost=True),
            Note("the BMC", "dead", is_bad=True),
            Say("the IPMI engine", "the BMC", "again, and again", is_lost=True),
            Say("the IPMI engine", "the node's actor", "no answer"),
            Note("the node's actor", "interval doubles; once more …"),
            Say("the node's actor", "the store", "fault, maintenance, no state"),
            Note("the store", "one commit, one event"),
            Say("the clock", "the node's actor", "every 300 s: try it"),
            Say("the IPMI engine", "the BMC", "one datagram"),
            Say("the BMC", "the IPMI engine", "power on"),
            Say("the IPMI engine", "the node's actor", "power on"),
            Say("the node's actor", "the store", "fault cleared"),
        ),
    ),
    "conductor-killed": Story(
        "The conductor is killed",
        ("a client", "a conductor", "the store", "the BMC", "its successor"),
        (
            Say("a client", "a conductor", "soft power off, key K"),
            Say("a conductor", "the store", "the request"),
            Say("a conductor", "a client", "accepted"),
            Say("a conductor", "the store", "place: may be sent"),
            Say("a conductor", "the BMC", "soft off"),
            Note("a conductor", "SIGKILL", is_bad=True),
            Note("the BMC", "machine shuts down"),
            Say("the store", "its successor", "place: may be sent"),
            Say("its successor", "the BMC", "read the power"),
            Say("the BMC", "its successor", "power on, still"),
            Note("its successor", "waits; sends nothing"),
            Say("a client", "its successor", "soft power off, key K"),
            Say("its successor", "a client", "accepted: the same request"),
            Say("the BMC", "its successor", "power off"),
            Say("its successor", "the store", "succeeded"),
            Say("its successor", "a client", "final"),
        ),
    ),
    "disk-full": Story(
        "The disk is full",
        ("a client", "the node's actor", "the writer", "the disk", "the clock"),
        (
            Note("the disk", "full", is_bad=True),
            Say("a client", "the node's actor", "power on"),
            Say("the node's actor", "the writer", "the request"),
            Say("the writer", "the disk", "commit"),
            Say("the disk", "the writer", "no space"),
            Say("the writer", "the node's actor", "refused"),
            Note("the node's actor", "as it was before"),
            Say("the node's actor", "a client", "store.unavailable, retry after"),
            Say("the clock", "the node's actor", "a check: goes on"),
            Note("the disk", "there is space again"),
            Say("a client", "the node's actor", "power on, the same key"),
            Say("the node's actor", "the writer", "the request"),
            Say("the writer", "the disk", "commit"),
            Say("the writer", "the node's actor", "on disk"),
            Say("the node's actor", "a client", "accepted"),
        ),
    ),
    "requests-collide": Story(
        "Two requests collide",
        ("alice", "the node's actor", "bob"),
        (
            Say("alice", "the node's actor", "power on"),
            Say("the node's actor", "alice", "accepted: A"),
            Note("the node's actor", "A runs"),
            Say("bob", "the node's actor", "power on"),
            Say("the node's actor", "bob", "joined: A"),
            Say("bob", "the node's actor", "power off"),
            Say("the node's actor", "bob", "node.locked: A, alice"),
            Say("bob", "the node's actor", "power off, after"),
            Say("the node's actor", "bob", "accepted: B"),
            Note("the node's actor", "B waits for A"),
            Say("the node's actor", "alice", "A succeeded"),
            Note("the node's actor", "B runs"),
            Say("the node's actor", "bob", "B succeeded"),
        ),
    ),
}

_STYLE: Final = (
    "text{font:12px sans-serif;fill:#222}text.who{font-weight:bold}text.bad{fill:#b00020;font-weight:bold}"
    "text.note{font-style:italic}line,path{stroke:#555;fill:none}line.life{stroke:#bbb;stroke-dasharray:3 3}"
    "path.lost{stroke:#b00020;stroke-dasharray:6 4}rect{fill:#fff}rect.who{fill:#e8eef5;stroke:#7a8ba0}"
    "#arrow{fill:#555}"
)

_HEAD: Final = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path id="arrow" d="M0,0 L8,4 L0,8 z"/></marker></defs>'
)


def picture(story: Story) -> str:
    """Return a story as SVG."""
    places = {name: MARGIN + number * COLUMN for number, name in enumerate(story.who)}
    width = 2 * MARGIN + (len(story.who) - 1) * COLUMN
    height = TOP + (len(story.lines) + 1) * ROW
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
            f"<title>{escape(story.title)}</title>",
            f"<style>{_STYLE}</style>",
            _HEAD,
            f'<rect width="{width}" height="{height}"/>',
            *_lives(places, height),
            *_lines(story, places),
            "</svg>\n",
        ]
    )


def main() -> None:
    """Rewrite all pictures."""
    for name, story in STORIES.items():
        (FOLDER / f"{name}.svg").write_text(picture(story), encoding="utf-8")


def _lives(places: dict[str, int], height: int) -> Iterator[str]:
    for name, x in places.items():
        yield f'<line class="life" x1="{x}" y1="44" x2="{x}" y2="{height - 8}"/>'
        yield f'<rect class="who" x="{x - 70}" y="16" width="140" height="28" rx="5"/>'
        yield _words(x, 34, name, "who")


def _lines(story: Story, places: dict[str, int]) -> Iterator[str]:
    for number, line in enumerate(story.lines, start=1):
        y = TOP + number * ROW - 6
        match line:
            case Say():
                yield from _arrow(line, places[line.by], places[line.to], y)
            case Note():
                look = "bad" if line.is_bad else "note"
                yield f'<rect x="{places[line.at] - 80}" y="{y - 14}" width="160" height="20"/>'
                yield _words(places[line.at], y, line.what, look)


def _arrow(line: Say, begin: int, end: int, y: int) -> Iterator[str]:
    """Draw an arrow; the words stand on the whole way, or above the column where it is a short one."""
    look = ' class="lost"' if line.is_lost else ""
    yield f'<path{look} marker-end="url(#head)" d="M{begin},{y} L{end},{y}"/>'
    yield _words((begin + end) // 2, y - 5, line.what, "said")


def _words(x: int, y: int, words: str, look: str) -> str:
    return f'<text class="{look}" x="{x}" y="{y}" text-anchor="middle">{escape(words)}</text>'


if __name__ == "__main__":
    main()
