"""The parts that the table of targets is measured in, by name, in their order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench import others
from bench.rows import blocking, fakes, idle, listing, single, trips
from bench.rows.fleet import Fleet
from bench.rows.sizes import Size
from bench.simulator import REAL

DEFAULT_S: Final = 25.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part."""

    measure: Callable[[Size], dict[str, float]]
    is_once: bool = False
    """It is another program's alone, and takes long: measured in the first round only."""
    is_quick: bool = True
    """It is measured in a quick run, too."""


PARTS: Final[Mapping[str, Part]] = {
    "others": Part(lambda _: others.measure()),
    "idle": Part(idle.measure),
    "trips": Part(trips.measure),
    "listing": Part(listing.measure),
    "single": Part(single.measure),
    "every_6s": Part(Fleet().measure),
    "silent_10": Part(Fleet(silent_percent=10).measure, is_quick=False),
    "silent_30": Part(Fleet(silent_percent=30).measure),
    "silent_50": Part(Fleet(silent_percent=50).measure, is_quick=False),
    "every_6s_real": Part(Fleet(manners=REAL, has_power=True).measure),
    "silent_30_real": Part(Fleet(silent_percent=30, manners=REAL).measure),
    "every_25s": Part(Fleet(interval_s=DEFAULT_S, has_load=True, has_power=True).measure),
    "fakes": Part(fakes.measure),
    "periodics": Part(blocking.measure),
    "futurist": Part(blocking.measure_peer, is_once=True),
}
"""What spoils a neighbour's figures least comes first: short parts, then many nodes, then what mostly waits."""

MEMORY: Final = "memory"
"""The part that is worked out of others."""


def derived(figures: Mapping[str, Mapping[str, float]], size: Size) -> dict[str, float]:
    """Return what is worked out of several parts of one round; nothing if one of them is missing."""
    with_sessions, idle_figures = figures.get("every_6s"), figures.get("idle")
    if with_sessions is None or idle_figures is None:
        return {}
    grown_mb = with_sessions["rss_mb"] - idle_figures["empty_mb"]
    return {"session_node_kb": grown_mb / size.nodes * 1e3}
