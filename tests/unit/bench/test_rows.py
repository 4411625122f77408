"""The scenes of the table of targets run, as small as can be, and give the figures that the targets name."""

from collections.abc import Mapping

import pytest

from bench.rows import idle, trips
from bench.rows.fleet import Fleet, reasons
from bench.rows.sizes import Size
from bench.targets.table import TARGETS
from castiron.transport.codec import encode_reply
from castiron.transport.errors import NodeNotFound
from tests.support.simulators import needs

TINY = Size(nodes=20, spread_s=0.0, settling_s=0.2, window_s=1.0, asking_s=0.3, seconds=0.1, documented_s=0.2, asked=5)


def named(part: str) -> set[str]:
    """Return the figures of a part that targets name."""
    split = (target.figure.partition(".") for target in TARGETS)
    return {figure for whose, _, figure in split if whose == part}


def holds(figures: Mapping[str, float], part: str) -> bool:
    return named(part) <= figures.keys()


@pytest.mark.slow
def test_a_fleet_is_started_watched_asked_driven_and_stopped_with_nothing_left_behind() -> None:
    needs("gcc")

    figures = Fleet(interval_s=1.0, has_load=True, has_power=True).measure(TINY)

    assert holds(figures, "every_6s")
    assert holds(figures, "every_25s")
    assert figures["checks_per_s"] > 0
    assert figures["check_cpu_ms"] > 0
    assert [figures[name] for name in ("asks_lost", "asks_refused", "load_lost", "load_busy")] == [0] * 4
    assert figures["power_all_failed"] == 0
    assert figures["left_open"] == 0


def test_an_idle_store_and_round_trips_give_the_figures_that_targets_name() -> None:
    parts = {"idle": idle.measure(TINY), "trips": trips.measure(TINY)}

    assert all(holds(figures, part) for part, figures in parts.items())
    assert all(value >= 0 for name, value in parts["trips"].items() if name.endswith("_per_s"))


def test_why_a_request_did_not_succeed_is_told_by_its_code() -> None:
    gone = encode_reply(NodeNotFound("There is none."), 1)

    assert reasons([gone, gone]) == {"node.not_found": 2}
