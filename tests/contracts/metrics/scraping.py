"""A conductor whose metrics are read as Prometheus reads them: over HTTP, with prometheus-client's own parser."""

import socket
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from castiron.actors.conductor import Conductor
from castiron.actors.settings import Settings
from castiron.transport.clients.blocking.client import Client

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PATIENCE_S = 20.0


class Scraped:
    """One page, parsed."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = {family.name: family for family in families}

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample; None: there is none with these labels."""
        for family in self.families.values():
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def labels(self, name: str) -> set[tuple[str, ...]]:
        """Return the values of the labels of all samples of a name."""
        samples = (sample for family in self.families.values() for sample in family.samples)
        return {tuple(sample.labels.values()) for sample in samples if sample.name == name}


class Served:
    """A conductor, a client of it, and where its metrics are."""

    def __init__(self, client: Client, port: int) -> None:
        self.client = client
        self.port = port
        self.url = f"http://127.0.0.1:{port}/metrics"

    def scrape(self) -> Scraped:
        parse: Any = text_string_to_metric_families  # pyright: ignore[reportUnknownVariableType] - it has no types
        return Scraped(list(parse(self.page())))

    def scrape_openmetrics(self) -> Scraped:
        page = self.page(OPENMETRICS)
        parse: Any = openmetrics.text_string_to_metric_families  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - as above
        return Scraped(list(parse(page)))

    def page(self, accept: str = "text/plain") -> str:
        request = urllib.request.Request(self.url, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            text: str = answer.read().decode()
        return text


def free_port() -> int:
    """Return a port that nobody listened at a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@contextmanager
def served(tmp_path: Path, **settings: Any) -> Generator[Served]:
    port = free_port()
    given = Settings(prometheus_port=port, **settings)
    with (
        Conductor(store=tmp_path / "store.db", endpoint=f"ipc://{tmp_path}/door", settings=given) as conductor,
        conductor.client(timeout_s=PATIENCE_S) as client,
    ):
        yield Served(client, port)
