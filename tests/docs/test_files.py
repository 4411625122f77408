"""Blocks of the pages that are files, or of other languages: castiron takes them as they stand, or a test is named."""

import tomllib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from castiron.actors.core.sensors.rules import rules_from
from castiron.actors.drivers import registry
from castiron.actors.periodics import periodics
from castiron.actors.settings import settings_from
from castiron.actors.steps import shelf
from castiron.cli.configuration import Configuration
from castiron.cli.main import main
from castiron.testing import running_conductor
from tests.docs.examples import LANGUAGES, ROOT, Example, blocks_of, pages

ELSEWHERE: Final = {
    ("docs/guides/observe.md", "sh"): "tests/contracts/metrics/test_guide.py",
    ("docs/guides/observe.md", "yaml"): "tests/contracts/metrics/test_guide.py",
    ("docs/guides/webhooks.md", "http"): "tests/faults/webhooks/test_delivery.py",
    ("docs/guides/webhooks.md", "bash"): "tests/faults/webhooks/test_delivery.py",
    ("examples/javascript/README.md", "javascript"): "tests/docs/test_javascript.py",
    ("docs/guides/systemd.md", "ini"): "tests/docs/test_files.py",
}
"""What another test tries: it names the page's file."""

FILES: Final = [one for page in pages() for one in blocks_of(page) if one.language == "toml"]


@pytest.fixture(scope="module")
def endpoint() -> Generator[str]:
    with running_conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver="fake")
        for target in ("manage", "provide", "deploy"):
            client.provision.set("n1", target).wait(timeout_s=30).raise_for_error()
        yield conductor.endpoint


def takes_settings(file: Path, content: dict[str, Any], endpoint: str) -> None:
    del content, endpoint
    given = Configuration()
    given.add_file(file)
    assert settings_from({name: one.value for name, one in given.settings.items()})


def takes_runbook(file: Path, content: dict[str, Any], endpoint: str) -> None:
    made = CliRunner().invoke(main, ["runbook", "create", str(file), "--endpoint", endpoint])
    assert made.output.startswith(f"{content['name']}: created"), made.output


def takes_steps(file: Path, content: dict[str, Any], endpoint: str) -> None:
    del content
    told = CliRunner().invoke(
        main, ["node", "service", "n1", "--steps", str(file), "--dry-run", "--endpoint", endpoint]
    )
    assert told.exit_code == 0, told.output


def takes_rules(file: Path, content: dict[str, Any], endpoint: str) -> None:
    del file, endpoint
    assert [rule.name for rule in rules_from(content)] == [*content]


def takes_entry_points(file: Path, content: dict[str, Any], endpoint: str) -> None:
    del file, endpoint
    assert content["project"]["entry-points"].keys() <= {registry.GROUP, periodics.GROUP, shelf.GROUP}


KINDS: Final[dict[str, Callable[[Path, dict[str, Any], str], None]]] = {
    "settings": takes_settings,
    "conductor": takes_settings,
    "name": takes_runbook,
    "steps": takes_steps,
    "project": takes_entry_points,
}
"""The first name in a file → who takes such files; rules of alarms have names of their own."""


@pytest.mark.parametrize("block", FILES, ids=str)
def test_a_file_is_taken_as_it_stands(block: Example, endpoint: str, tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text(block.text, encoding="utf-8")
    content = tomllib.loads(block.text)

    KINDS.get(next(iter(content)), takes_rules)(file, content, endpoint)


def test_the_unit_that_is_shown_is_the_one_that_is_shipped() -> None:
    (unit,) = [one.text for one in blocks_of("docs/guides/systemd.md") if one.language == "ini"]

    assert unit == (ROOT / "deploy" / "castiron.service").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", pages())
def test_each_block_is_tried_by_some_test(page: str) -> None:
    others = {one.language for one in blocks_of(page)} - {*LANGUAGES, "toml"}

    for language in others:
        test = ELSEWHERE[page, language]
        assert Path(page).name in (ROOT / test).read_text(encoding="utf-8"), (page, language)
