"""Where pages are, in the repository and in the site, and what becomes of the links between them.

README.md, CHANGELOG.md and transport/PROTOCOL.md stay where people look for them, and are pages of the site as well. A
link in any page is one to a file of the repository; here it becomes one to that file's page or, where it has none, to
the file itself, which the site brings along. May come in: another page from elsewhere. Must not: MkDocs.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

ROOT: Final = Path(__file__).resolve().parents[2]

ELSEWHERE: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "transport/PROTOCOL.md": "reference/protocol.md",
    "examples/javascript/README.md": "guides/javascript.md",
}
"""Pages outside docs/: where they are in the repository, and in the site."""

AT: Final = {page: path for path, page in ELSEWHERE.items()}

FILES: Final = "files/"
"""Where the site has the files that pages lead to and that are no pages."""

_LINK: Final = re.compile(
    r"(?P<code>^ *```.*?^ *```|`[^`\n]*`)|(?P<before>!?\[[^\]]*\]\()(?P<target>[^)\s]+)\)", re.DOTALL | re.MULTILINE
)
"""A link, or code, in which there are none."""

_REMOTE: Final = re.compile(r'<(?:script|img|iframe|source)[^>]+src="?(?:https?:)?//|<link[^>]+href="?(?:https?:)?//')


def path_of(page: str) -> str:
    """Return where a page of the site is in the repository."""
    return AT.get(page, f"docs/{page}")


def page_of(path: str) -> str:
    """Return where the site has a file of the repository."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else FILES + path


def targets(text: str) -> Iterator[str]:
    """Yield what the links of a page lead to, as they are written, but those to other hosts."""
    for link in _LINK.finditer(text):
        target = link["target"]
        if target is not None and not urlsplit(target).scheme:
            yield target


def resolved(path: str, target: str) -> str:
    """Return the file of the repository that a link of the page at `path` leads to; a folder's is its README.md."""
    file = posixpath.normpath(posixpath.join(posixpath.dirname(path), urlsplit(target).path))
    return posixpath.join(file, "README.md") if (ROOT / file).is_dir() else file


def rewritten(text: str, page: str) -> str:
    """Return a page's text with the links that the site needs."""
    path = path_of(page)

    def replace(link: re.Match[str]) -> str:
        target = link["target"]
        if target is None or urlsplit(target).scheme or target.startswith("#"):
            return link[0]
        there = posixpath.relpath(page_of(resolved(path, target)), posixpath.dirname(page) or ".")
        fragment = urlsplit(target).fragment
        return f"{link['before']}{there}{'#' + fragment if fragment else ''})"

    return _LINK.sub(replace, text)


def completed(nav: Sequence[object], pages: list[str]) -> list[object]:
    """Return a navigation with the pages that it does not name: decisions among their like, others under How to."""
    named = set(re.findall(r"[\w/.-]+\.md", repr(nav)))
    rest = sorted(page for page in pages if page not in named)
    more = {
        "Decisions": [page for page in rest if page.startswith("adr/")],
        "How to": [page for page in rest if not page.startswith("adr/")],
    }
    return [_with(entry, more) for entry in nav]


def _with(entry: object, more: dict[str, list[str]]) -> object:
    if not isinstance(entry, dict):
        return entry
    ((title, below),) = cast("dict[str, str | list[object]]", entry).items()
    if isinstance(below, str):
        return {title: below}
    return {title: [*(_with(one, more) for one in below), *more.get(title, ())]}


def remote(output: str) -> str | None:
    """Return the first thing that a page loads from another host; None if there is none."""
    found = _REMOTE.search(output)
    return found[0] if found else None
