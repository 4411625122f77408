"""Everything that is counted, as it is at one moment: what metrics are made of.

Copies of counters alone: whoever fills one walks over no nodes, asks no actor and reads no disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from castiron.actors.metrics.census import Census
from castiron.actors.metrics.happenings import Endings
from castiron.actors.metrics.sketch import Sketch
from castiron.actors.published.board import Published
from castiron.actors.published.checks import Answers
from castiron.actors.sensors.readings import Reading
from castiron.transport.replies import Gauge
from castiron.transport.vocabulary import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """A conductor, now; counts are since its start."""

    conductor: str
    version: str
    started_at: float
    census: Census
    endings: Endings
    checks: Mapping[str, int]
    """By result."""
    late: Sketch
    """How late checks began."""
    response: Sketch
    """How long BMCs took to answer them."""
    answers: Answers
    lag: Mapping[str, Sketch]
    """By queue."""
    events: Mapping[EventType, int]
    requests: Mapping[str, int]
    """Now: open, running, waiting_for_permit."""
    is_draining: bool
    queues: Mapping[str, Gauge]
    store: Mapping[str, Any]
    """changes, commits, failures, backlog, is_writable."""
    drivers: Mapping[str, Mapping[str, int]]
    transport: Mapping[str, int]
    actors: Mapping[str, int]
    webhooks: Mapping[str, int]
    nodes: tuple[tuple[Published, Reading | None], ...] = ()
    """The first ones by name, as many as have metrics of their own, with what their sensors said."""
