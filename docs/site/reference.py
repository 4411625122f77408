"""The pages of docs/reference/ that are made whole from tables: errors and events.

    python -m docs.site.reference

rewrites them; a test keeps them in step. May come in: another page that a table yields. Must not: prose about one
entry, which belongs to the entry's own docstring.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from castiron.cli.output.exits import exit_of
from castiron.transport.document import cell, docstrings, prose
from castiron.transport.errors import WIRE_ERRORS, CastironError
from castiron.transport.events import PAYLOADS
from castiron.transport.verbs import COMMON_ERRORS, VERBS, NodeRequest
from castiron.transport.vocabulary import EventType, Source

FOLDER: Final = Path(__file__).resolve().parents[1] / "reference"

SOURCES: Final[Mapping[Source, str]] = {
    Source.CALLER: "The message, or the world that it meets",
    Source.CONDUCTOR: "The conductor",
    Source.BMC: "The machine's controller, or the way to it",
}

_ERRORS: Final = """\
# Errors

Made from the code by `python -m docs.site.reference`.

An error has a code, which never changes its meaning; a message for people; and, where something may have reached a
machine, `applied`: `no`, `yes` or `unknown`. `retry` says what asking again is good for: `never`, the same message
fails again; `later`, once the world has changed; `after`, in `retry_after_s` seconds. Python raises the class, from
`castiron`; the command line exits with the number ([what they mean](../guides/commands.md#exit-codes)). How an error
looks on the wire is in [the protocol](../../transport/PROTOCOL.md#11-errors), section 11.
"""

_EVENTS: Final = """\
# Events

Made from the code by `python -m docs.site.reference`.

Each event has a number without a gap, its time, its node, its request, and a payload with these keys at least. They are
listed (`castiron events`, `castiron node history`), published, and kept as long as
[the settings](../guides/settings.md) say; how to follow them without a gap is in
[the protocol](../../transport/PROTOCOL.md#132-following-without-a-gap), section 13.2.
"""


def errors_page() -> str:
    """Return docs/reference/errors.md."""
    parts = [_ERRORS]
    for source, title in SOURCES.items():
        rows = [_error_row(code, error) for code, error in WIRE_ERRORS.items() if error.source is source]
        parts.append(f"## {title}\n\n" + _table(("code", "class", "retry", "exit", "meaning", "from"), rows))
    return "\n".join(parts)


def events_page() -> str:
    """Return docs/reference/events.md."""
    parts = [_EVENTS]
    meanings = docstrings(EventType)
    for subject in dict.fromkeys(word.split(".")[0] for word in EventType):
        rows = [
            (f"`{word}`", cell(meanings[word.name]), ", ".join(f"`{key}`" for key in PAYLOADS[word]))
            for word in EventType
            if word.split(".")[0] == subject
        ]
        parts.append(f"## `{subject}`\n\n" + _table(("type", "meaning", "payload"), rows))
    return "\n".join(parts)


PAGES: Final[Mapping[str, Callable[[], str]]] = {"errors.md": errors_page, "events.md": events_page}


def main() -> None:
    """Rewrite all pages."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


def _error_row(code: str, error: type[CastironError]) -> tuple[str, ...]:
    return (
        f"`{code}`",
        f"`{error.__name__}`",
        error.retry.value,
        str(exit_of(error("")).value),
        cell(prose(error)),
        _from(error),
    )


def _from(error: type[CastironError]) -> str:
    """Say which verbs are refused with an error, and whose requests end with it."""
    if error in COMMON_ERRORS:
        return "every verb"
    refused = [tag for tag, verb in VERBS.items() if error in verb.refusals]
    failed = [tag for tag, verb in VERBS.items() if issubclass(verb, NodeRequest) and error in verb.failures]
    told = [*_named("", refused), *_named("as the end of ", failed)]
    return "; ".join(told) or "-"


def _named(how: str, tags: list[str]) -> Iterator[str]:
    if tags:
        yield how + ", ".join(f"`{tag}`" for tag in tags)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = (heads, ("---",) * len(heads), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
