"""Text as roff, the language of manual pages, with the macros of man(7). Pure; knows nothing of commands."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

_SPECIAL: Final = str.maketrans({"\\": r"\e", "-": r"\-", "^": r"\(ha", "~": r"\(ti", "`": r"\(ga", "'": r"\(aq"})

_CODE: Final = re.compile(r"`([^`\n]+)`")


def escaped(text: str) -> str:
    """Return text that roff shows as it is, whatever begins its lines."""
    lines = _spelled(text).split("\n")
    return "\n".join(rf"\&{line}" if line.startswith((".", "\\(aq")) else line for line in lines)


def _spelled(text: str) -> str:
    """Return text in ASCII, with what means something to roff as what it stands for."""
    return "".join(letter if letter.isascii() else rf"\[u{ord(letter):04X}]" for letter in text.translate(_SPECIAL))


def bold(text: str) -> str:
    """Return text in bold."""
    return rf"\fB{escaped(text)}\fR"


def prose(text: str) -> str:
    """Return a paragraph whose `code` is bold."""
    pieces = _CODE.split(" ".join(text.split()))
    told = "".join(bold(piece) if number % 2 else _spelled(piece) for number, piece in enumerate(pieces))
    return rf"\&{told}" if told.startswith((".", r"\(aq")) else told


def head(name: str, section: int, source: str, manual: str) -> Iterator[str]:
    """Yield the first lines of a page. It has no date: the same text makes the same page."""
    yield f'.TH "{name.upper()}" "{section}" "" "{source}" "{manual}"'
    yield ".nh"


def section(title: str) -> Iterator[str]:
    """Yield the head of a section."""
    yield f'.SH "{escaped(title)}"'


def subsection(title: str) -> Iterator[str]:
    """Yield the head of a part of a section."""
    yield f'.SS "{escaped(title)}"'


def paragraphs(text: str) -> Iterator[str]:
    """Yield paragraphs, apart by an empty line. Indented ones, and those not to be wrapped, stay as they are."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        yield ".PP"
        if block.startswith("\b\n") or all(line.startswith("    ") for line in block.splitlines()):
            yield from example(block.removeprefix("\b\n"))
        else:
            yield prose(block)


def example(text: str) -> Iterator[str]:
    """Yield lines that stay as they are."""
    yield ".RS 4"
    yield ".nf"
    yield escaped("\n".join(line.removeprefix("    ") for line in text.splitlines()))
    yield ".fi"
    yield ".RE"


def terms(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a list of words, each with what it means."""
    for word, meaning in rows:
        yield ".TP"
        yield bold(word)
        yield prose(meaning) or r"\&"
