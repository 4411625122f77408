"""Metrics in Prometheus' formats: the one home of prometheus-client, which is loaded only where metrics are served.

Makes a page from what has been counted. What is counted, and what it means, is the catalogue's.
"""

from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from castiron.actors.metrics.prometheus.catalogue import METRICS
from castiron.actors.metrics.prometheus.endpoint import Page
from castiron.actors.metrics.prometheus.metric import Kind, Metric, Sample
from castiron.actors.metrics.prometheus.single import LABELS, NODE_METRICS, samples
from castiron.actors.metrics.sketch import BUCKETS, PARTS, Sketch, upper_s
from castiron.actors.metrics.vitals import Vitals

EDGES: Final = tuple(range(PARTS * 4 - 1, BUCKETS, PARTS * 2))
"""Buckets at whose end one of a histogram ends: each fourfold length from 15 µs to an hour."""


class Counted(Collector):
    """What a conductor has counted.

    Args:
        vitals: copies it.
    """

    def __init__(self, vitals: Callable[[], Vitals]) -> None:
        self._vitals = vitals

    def collect(self) -> Iterable[Family]:
        """Yield every metric. Any thread."""
        vitals = self._vitals()
        for metric in METRICS:
            family = _family(metric)
            for sample in metric.read(vitals):
                _add(family, sample)
            yield family
        if vitals.nodes:
            yield from _single(vitals)


class Renderer:
    """Makes pages for one conductor. Any thread; several at once."""

    def __init__(self, vitals: Callable[[], Vitals]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._registry.register(Counted(vitals))

    def page(self, accept: str) -> Page:
        """Return all metrics in the format that whoever asks likes best."""
        encode, content_type = choose_encoder(accept)
        return Page(encode(self._registry), content_type)


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    if metric.kind is Kind.HISTOGRAM:
        return HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    if metric.kind is Kind.COUNTER:
        return CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)


def _add(family: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily, sample: Sample) -> None:
    labels, figure = sample
    if isinstance(family, HistogramMetricFamily):
        if isinstance(figure, Sketch):
            family.add_metric(labels, _buckets(figure), figure.total_s)
    elif not isinstance(figure, Sketch):
        family.add_metric(labels, float(figure))


def _buckets(sketch: Sketch) -> list[tuple[str, float]]:
    """Return how many were shorter than each edge; exact, as the edges are those of the sketch's own buckets."""
    reached = list(accumulate(sketch.counts))
    return [*((str(upper_s(edge)), reached[edge]) for edge in EDGES), ("+Inf", reached[-1])]


def _single(vitals: Vitals) -> Iterable[Family]:
    families = {one: GaugeMetricFamily(one.name, one.meaning, labels=(*LABELS, *one.labels)) for one in NODE_METRICS}
    for metric, labels, figure in samples(vitals):
        families[metric].add_metric(labels, float(figure))
    yield from families.values()
