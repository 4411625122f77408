"""What the pages show at a console is typed in a fresh folder, at a real conductor and a farm, and compared."""

import re
from pathlib import Path

import pytest

from tests.docs.examples import ROOT, examples_of, pages, typed_first, typed_in
from tests.docs.terminal import Terminal, fits

SHOWN = [page for page in pages() if any(one.language == "console" and not one.why_not for one in examples_of(page))]


@pytest.mark.parametrize("page", SHOWN)
@pytest.mark.timeout(240)
def test_what_is_typed_prints_what_the_page_says(page: str, tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.type(typed_first(page))
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
    assert fits("350e2470-95f8-4840-8ec9-a5b298d19876  2 s ago\n", "6782b440-dc96-4e62-803b-e9208a8e6093  0.6 s ago")
    assert not fits(
        "350e2470-95f8-4840-8ec9-a5b298d19876\n",
        "6782b440-dc96-4e62-803b-e9208a8e6093",
        {"6782b440-dc96-4e62-803b-e9208a8e6093": "43978a19-e988-433e-9716-f5e0a357a792"},
    )
    assert not fits("350e2470  2 s ago\n", "6782b440  0.6 s ago")
    assert fits(f"castiron: {'a' * 110} b\n", f"castiron: {'a' * 110}\nb")
    assert fits("a  b c\n", "a  b\n             c")
    assert not fits("a\nb\n", "a")
    assert not fits("", "a")
    assert not fits("a c\n", "a … b")


@pytest.mark.timeout(240)
def test_what_the_readme_has_in_a_terminal_works(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## In a terminal\n")[2].partition("\n## ")[0]
    serve, farm, work = (
        block.strip() for block in re.findall(r"^```\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[:3]
    )
    with Terminal(tmp_path) as terminal:
        terminal.type(f"{serve} > serve.log 2>&1 &")
        terminal.follow("cat serve.log", "…\ncastiron: conductor … listens on …\n…")
        terminal.type(f"({farm}) > farm.log 2>&1 &")
        terminal.follow("cat farm.log", "…\nbmc[1-20]: created\n…")
        for command in work.splitlines():
            bounded = re.sub(r"castiron (events|web)", r"timeout --preserve-status -s INT 3 castiron \1", command)
            printed = terminal.type(f"{bounded}\necho exit $?")
            assert printed.endswith(f"exit {130 if '--follow' in command else 0}\n"), printed
        assert "bmc[1-20]: power on" in terminal.type("castiron node power on 'bmc[1-20]' --wait")
