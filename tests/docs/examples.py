"""The examples of the pages: blocks of Python and of a console, each to be run, or marked with why it is not.

    <!-- not run: it names machines of a site -->
    ```console

What a page takes for granted at its console is typed first:

    <!-- typed first:
    castiron serve > serve.log 2>&1 &
    -->

    python -m tests.docs.examples

says how many there are of each.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
LANGUAGES: Final = ("console", "python")

_BLOCK: Final = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+) -->\n)?^```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


class Example(NamedTuple):
    """A block of a page. `why_not` is why it is not run, None where it is."""

    page: str
    line: int
    language: str
    text: str
    why_not: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class Typed(NamedTuple):
    """A command, and what a page says that it prints."""

    command: str
    expected: str


def pages() -> list[str]:
    """Return all pages that have examples, as paths in the repository."""
    return sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*/README.md"))
    )


def examples_of(page: str) -> list[Example]:
    """Return the examples of a page."""
    return [one for one in blocks_of(page) if one.language in LANGUAGES]


def blocks_of(page: str) -> list[Example]:
    """Return all blocks of a page that have a language, also those that are files and not examples to be run."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Example(page, text[: block.start("language")].count("\n") + 1, block["language"], block["text"], block["why"])
        for block in _BLOCK.finditer(text)
    ]


def typed_first(page: str) -> str:
    """Return the commands that a page takes for granted."""
    found = re.search(r"^<!-- typed first:\n(.*?)^-->$", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def typed_in(text: str) -> list[Typed]:
    """Return the commands of a console's block: `$ ` begins one, `> ` goes on with it."""
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line.startswith(">") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [Typed("\n".join(command), "\n".join(expected)) for command, expected in found]


def main() -> None:
    """Print how many examples there are."""
    counts = Counter(
        (one.language, "run" if one.why_not is None else "not run") for page in pages() for one in examples_of(page)
    )
    for (language, how), count in sorted(counts.items()):
        print(f"{count:4} {language} {how}")  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
