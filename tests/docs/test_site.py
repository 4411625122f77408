"""The pages hang together: every link leads somewhere, here and in the site, and what is made is in step."""

import re
from xml.etree import ElementTree as ET

import pytest

from castiron.transport.errors import WIRE_ERRORS
from castiron.transport.vocabulary import EventType
from docs.site import links as site
from docs.site import screenshot
from docs.site.reference import FOLDER, PAGES
from docs.site.sequences import FOLDER as PICTURES
from docs.site.sequences import STORIES, Say, picture
from tests.docs.examples import ROOT, examples_of, pages

EVERY = [*pages(), "CHANGELOG.md", "transport/PROTOCOL.md"]


def anchors(path: str) -> set[str]:
    """Return what a page's headings are called in a link, as repository pages and the site have it."""
    prose = re.sub(r"```.*?```", "", (ROOT / path).read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", EVERY)
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(page: str) -> None:

    for target in site.targets((ROOT / page).read_text(encoding="utf-8")):
        path = page if target.startswith("#") else site.resolved(page, target)
        assert (ROOT / path).is_file(), target
        assert "#" not in target or target.partition("#")[2] in anchors(path), target


def test_links_of_a_page_become_links_of_the_site() -> None:
    assert site.rewritten("[a](docs/power.md#x)", "index.md") == "[a](power.md#x)"
    assert site.rewritten("[a](../../transport/PROTOCOL.md)", "guides/rack.md") == "[a](../reference/protocol.md)"
    assert site.rewritten("[a](docs/adr/)", "index.md") == "[a](adr/README.md)"
    assert site.rewritten("[a](../../LICENSE)", "guides/rack.md") == "[a](../files/LICENSE)"
    assert site.rewritten("[a](https://example.org/docs/x.md)", "index.md") == "[a](https://example.org/docs/x.md)"
    assert site.rewritten("`[a](docs/x.md)`", "index.md") == "`[a](docs/x.md)`"


def test_a_page_that_asks_another_host_is_refused() -> None:

    assert site.remote('<script src="https://example.org/x.js">') is not None
    assert site.remote("<link href=//example.org/x.css rel=stylesheet>") is not None
    assert site.remote('<a href="https://example.org/">') is None


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_reference_is_in_step(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run: python -m docs.site.reference"


def test_every_error_and_every_event_has_a_row() -> None:
    assert all(f"\n| `{code}` | " in PAGES["errors.md"]() for code in WIRE_ERRORS)
    assert all(f"\n| `{word}` | " in PAGES["events.md"]() for word in EventType)


@pytest.mark.parametrize("name", STORIES)
def test_a_picture_is_in_step_and_has_every_line(name: str) -> None:
    story = STORIES[name]
    drawn = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
    words = [text.text for text in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]

    assert drawn == picture(story), "run: python -m docs.site.sequences"
    assert words == [*story.who, *(line.what for line in story.lines)]
    assert {one for line in story.lines if isinstance(line, Say) for one in (line.by, line.to)} <= set(story.who)


def test_the_picture_is_of_the_page_as_it_is() -> None:
    assert screenshot.mark_of(screenshot.PICTURE.read_bytes()) == screenshot.digest(), (
        "run: python -m docs.site.screenshot"
    )


def test_a_page_that_nobody_has_put_into_the_navigation_is_added() -> None:
    nav = ["index.md", {"How to": ["a.md"]}, {"Explanation": ["b.md", {"Decisions": ["adr/README.md"]}]}]

    assert site.completed(nav, ["a.md", "b.md", "c.md", "adr/README.md", "adr/0001-x.md"]) == [
        "index.md",
        {"How to": ["a.md", "c.md"]},
        {"Explanation": ["b.md", {"Decisions": ["adr/README.md", "adr/0001-x.md"]}]},
    ]


def test_a_reason_is_a_sentence() -> None:
    reasons = {one.why_not for page in pages() for one in examples_of(page) if one.why_not}

    assert all(len(reason.split()) >= 4 for reason in reasons)
