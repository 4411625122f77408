"""What MkDocs is told of the pages that live outside docs/, and of links that are right in the repository.

README.md, CHANGELOG.md and transport/PROTOCOL.md stay where people look for them, and are pages of the site as well. A
link in any page is one to a file of the repository; here it becomes one to that file's page or, where it has none, to
the file itself, which the site brings along. May come in: another page from elsewhere. Must not: words of a page.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Page

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


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere, and the files that pages lead to."""
    for path, page in ELSEWHERE.items():
        if (ROOT / path).exists():
            files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    pages = [file for file in files.documentation_pages() if file.abs_src_path is not None]
    for path in sorted(_led_to(pages)):
        if page_of(path).startswith(FILES) and (ROOT / path).is_file():
            files.append(File.generated(config, page_of(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs'
    """Rewrite the links of a page."""
    return rewritten(markdown, page.file.src_uri)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001 - MkDocs' own words
    """Refuse a page that would have a reader's browser ask another host.

    Raises:
        PluginError: it would; the build ends.
    """
    if found := _REMOTE.search(output):
        raise PluginError(f"{page.file.src_uri} loads something from elsewhere: {found[0]}")
    return output


def _led_to(pages: list[File]) -> set[str]:
    return {
        resolved(path_of(file.src_uri), target)
        for file in pages
        for target in targets(file.content_string)
        if not target.startswith("#")
    }
