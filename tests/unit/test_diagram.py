"""The picture of the provision states, and their text, have every transition, and are in step with the tables."""

from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from castiron.actors.core.provision.states import ABORTS, TRANSITIONS
from castiron.actors.diagram import PICTURE, TEXT, Edge, edges, kind_of, lanes, main, picture, text
from castiron.cli.main import main as castiron
from castiron.transport.vocabulary import ProvisionState

AGAIN = "run: python -m castiron.actors.diagram"


def words(look: str) -> list[str]:
    """Return the words of the picture that look so."""
    root = ET.fromstring(picture())
    return [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text") if one.get("class") == look]


def test_the_files_are_in_step_with_the_tables() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(), AGAIN
    assert TEXT.read_text(encoding="utf-8") == text(), AGAIN


def test_every_state_is_one_box_and_has_a_kind() -> None:
    *boxes, _ = words("state")  # below them stands what the asterisk means

    assert sorted(boxes) == sorted(state.value for state in ProvisionState)
    assert {kind_of(state) for state in ProvisionState} == {"stable", "working", "waiting", "held", "failed"}


@pytest.mark.parametrize("edge", edges(), ids=lambda edge: f"{edge.at}-{edge.to}")
def test_every_transition_is_an_arrow_or_is_told_on_both_sides(edge: Edge) -> None:
    at, to, events = edge.at, edge.to, ", ".join(edge.events)
    lane = {state: lane.name for lane in lanes() for state in lane.places if state is not None}
    shown = words("event")

    if lane.get(at) == lane.get(to):
        assert events in shown
    else:
        assert at not in lane or f"{at}: {events} \u2192 {to}" in shown
        assert to not in lane or f"{at}: {events}" in shown


def test_the_text_has_a_line_for_every_transition() -> None:
    lines = text().splitlines()

    assert len(lines) == 1 + len(TRANSITIONS) + len(ABORTS) + 2
    assert sum("abort*" in line for line in lines) == len(ABORTS)
    assert all(row.why in text() for row in (*TRANSITIONS.values(), *ABORTS.values()))


def test_castiron_prints_it() -> None:
    told = CliRunner().invoke(castiron, ["docs", "states"])

    assert (told.exit_code, told.stdout) == (0, text())


def test_making_them_again_changes_nothing() -> None:
    before = PICTURE.read_bytes(), TEXT.read_bytes()

    main()

    assert (PICTURE.read_bytes(), TEXT.read_bytes()) == before
