"""The manual pages are in step with the commands and the settings, and roff understands them."""

import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from castiron.actors.settings import Settings
from castiron.cli.main import main
from castiron.cli.man import roff
from castiron.cli.man.pages import PAGES

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "man"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_in_step(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "python -m castiron.cli.man.pages deploy/man"


def test_every_command_and_every_setting_has_its_place() -> None:
    commands, settings = PAGES["castiron.1"](), PAGES["castiron.toml.5"]()

    with main.make_context("castiron", ["ping"]) as root:
        for name in main.list_commands(root):
            assert f'.SS "castiron {name}"' in commands
    for item in fields(Settings):
        assert f"\n\\fB{item.name}\\fR\n" in settings


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
@pytest.mark.parametrize("name", PAGES)
def test_roff_has_no_complaint(name: str) -> None:
    told = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", str(FOLDER / name)], check=True, capture_output=True, text=True, timeout=30
    )

    assert told.stderr == ""
    assert "\\" not in told.stdout.replace("\\n", ""), "something was escaped twice"


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_text_is_shown_as_it_is() -> None:
    text = ".SH is 'no' macro here \\ and ~/x^2 costs 3\N{EN DASH}4 `--so-much`"
    page = "\n".join([*roff.head("x", 1, "x", "x"), ".PP", roff.escaped(text), ""])

    shown = subprocess.run(
        ["groff", "-man", "-Tutf8", "-P-cbou", "-rLL=200n"],
        input=page,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout

    assert text in shown
