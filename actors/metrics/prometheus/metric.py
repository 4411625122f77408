"""What a metric is, and the ways in which its figures are read. Which there are, is in the catalogue."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from castiron.actors.metrics.sketch import Sketch
from castiron.actors.metrics.vitals import Vitals


class Kind(StrEnum):
    """A metric's type, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


Sample = tuple[tuple[str, ...], float | Sketch]
"""Values of the labels, and the figure; of a histogram the lengths of time."""

Read = Callable[[Vitals], Iterable[Sample]]


class Metric(NamedTuple):
    """One row."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    read: Read
    elsewhere: str = ""
    """What others call the same, or what comes nearest to it."""


def one(read: Callable[[Vitals], float | Sketch]) -> Read:
    """Return a reader of a figure without labels."""
    return lambda vitals: [((), read(vitals))]


def labelled(read: Read) -> Read:
    """Return a reader of figures that brings its labels."""
    return read


def by(read: Callable[[Vitals], Mapping[str, float]]) -> Read:
    """Return a reader of figures by one label."""
    return lambda vitals: [((str(label),), value) for label, value in read(vitals).items()]


def of(part: str, *names: str) -> Read:
    """Return a reader of some counters of a part, by what they count; those that it has not are left out."""

    def read(vitals: Vitals) -> Iterable[Sample]:
        counters = getattr(vitals, part)
        return [((name,), counters[name]) for name in names if name in counters]

    return read


def figure(part: str, name: str) -> Read:
    """Return a reader of one counter of a part."""
    return lambda vitals: [((), value) for _, value in of(part, name)(vitals)]


def ipmi_figure(name: str) -> Read:
    """Return a reader of one counter of the ipmi driver."""
    return lambda vitals: [((), value) for _, value in of_ipmi(name)(vitals)]


def of_ipmi(*names: str) -> Read:
    """Return a reader of some counters of the ipmi driver, by what they count."""

    def read(vitals: Vitals) -> Iterable[Sample]:
        counters = vitals.drivers.get("ipmi", {})
        return [((name,), counters[name]) for name in names if name in counters]

    return read
