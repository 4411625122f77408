"""What MkDocs is told of the pages that live outside docs/, of links, and of what a reader's browser may load.

MkDocs calls these by their names. May come in: another of its calls. Must not: what `links` can decide without MkDocs.
"""

from typing import cast

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site.links import ELSEWHERE, FILES, ROOT, completed, page_of, path_of, remote, resolved, rewritten, targets


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add to the navigation what it does not name."""
    docs = ROOT / "docs"
    nav = cast("list[object]", config["nav"])
    config.nav = completed(nav, [str(path.relative_to(docs)) for path in docs.rglob("*.md")])
    return config


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
    if found := remote(output):
        raise PluginError(f"{page.file.src_uri} loads something from elsewhere: {found}")
    return output


def _led_to(pages: list[File]) -> set[str]:
    return {
        resolved(path_of(file.src_uri), target)
        for file in pages
        for target in targets(file.content_string)
        if not target.startswith("#")
    }
