"""A request is begun by the commit that accepts it where there is room, and by one of its own where there is none."""

from dataclasses import replace

import pytest

from castiron.actors.settings import Settings
from tests.faults.supervision.house import QUICK, House
from tests.support.deadline import until

UNCHECKED = replace(QUICK, sync_power_state_interval_s=0.0)
"""What a check finds would be a commit, too."""

ONE_AT_ONCE = [replace(UNCHECKED, max_running_actions=1), replace(UNCHECKED, max_concurrent_power=1)]


def test_where_there_is_room_a_power_action_is_three_commits(house: House) -> None:
    client = house.with_nodes(UNCHECKED)
    before = client.nodes.show("n1").revision

    request = client.nodes.power("n1", "power on").wait(timeout_s=10)

    assert request.state == "succeeded"
    assert client.nodes.show("n1").revision - before == 3  # accepted and begun; about to send; ended
    house.audit()


@pytest.mark.parametrize("settings", ONE_AT_ONCE, ids=["of all", "of its class"])
def test_where_somebody_has_the_room_it_begins_when_that_is_given_back(house: House, settings: Settings) -> None:
    client = house.with_nodes(settings)
    client.nodes.create("slow", driver="fake", driver_info={"fake_latency_s": "0.5"})
    other = client.nodes.power("slow", "power on")
    before = client.nodes.show("n1").revision

    request = client.nodes.power("n1", "power on")

    until(lambda: client.nodes.show("n1").revision > before)
    assert client.requests.show(request.id).state == "queued"
    assert client.nodes.show("n1").target_power_state is None
    assert request.wait(timeout_s=10).state == other.wait(timeout_s=10).state == "succeeded"
    assert client.nodes.show("n1").revision - before == 4  # accepted; begun; about to send; ended
    house.audit()
