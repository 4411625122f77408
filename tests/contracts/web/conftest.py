"""What the tests of the page share: a conductor with a farm, and the page of it."""

from collections.abc import Generator
from dataclasses import dataclass

import pytest

from castiron.actors.settings import settings_from
from castiron.testing import BMCFarm, impatient_drivers, running_conductor
from castiron.transport.clients.blocking.client import Client
from tests.contracts.web.serving import Web, serving

NODES = 6


@dataclass
class Story:
    """A conductor with n1 to n6, a client of it, and the page."""

    client: Client
    endpoint: str
    web: Web

    def switch(self, node: str, target: str) -> None:
        self.client.nodes.power(node, target).wait(timeout_s=20).raise_for_error()


@pytest.fixture(scope="module")
def story() -> Generator[Story]:
    settings = settings_from({"power_check_start_spread_s": 0.0, "sync_power_state_interval_s": 5.0})
    with (
        BMCFarm(bmcs=NODES) as farm,
        running_conductor(settings=settings, drivers=impatient_drivers) as conductor,
        conductor.client() as client,
    ):
        for number in range(NODES):
            client.nodes.create(f"n{number + 1}", driver="ipmi", driver_info=farm[number].driver_info)
        with serving(client.endpoint) as web:
            yield Story(client, client.endpoint, web)
