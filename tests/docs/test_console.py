"""What the pages show at a console is typed in a fresh folder, at a real conductor and a farm, and compared."""

from pathlib import Path

import pytest

from tests.docs.examples import examples_of, pages, typed_in
from tests.docs.terminal import Terminal, fits

SHOWN = [page for page in pages() if any(one.language == "console" and not one.why_not for one in examples_of(page))]


@pytest.mark.parametrize("page", SHOWN)
@pytest.mark.timeout(240)
def test_what_is_typed_prints_what_the_page_says(page: str, tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        for example in examples_of(page):
            if example.language == "console" and example.why_not is None:
                for command, expected in typed_in(example.text):
                    terminal.follow(command, expected)


def test_the_tutorial_is_among_them() -> None:
    assert {f"docs/tutorial/{name}.md" for name in ("machines", "trouble", "deploy")} <= set(SHOWN)


def test_output_is_compared() -> None:
    assert fits("a\nb c\n", "a\nb c")
    assert fits("a 17 b\n", "a … b")
    assert fits("x\ny\nlast\n", "…\nlast")
    assert fits("", "…")
    assert fits("NAME     POWER\n", "NAME  POWER")
    assert not fits("a\nb\n", "a")
    assert not fits("", "a")
    assert not fits("a c\n", "a … b")
