"""Any story of several nodes, told by its events alone: where each node stands, at every moment of it."""

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from castiron.transport.clients.blocking.requests import Request
from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, ProvisionTarget, RequestState
from tests.contracts.provisioning.conftest import Begin
from tests.support.deadline import until
from tests.support.moving import MOVES, NOTHING, PATIENCE_S, Story, rebuilt, standing

NODES = ("n1", "n2", "n3", "n4")
MOMENTS = 240
LISTS: Sequence[Sequence[Any]] = (
    NOTHING,
    ["wait"],
    ["hold", "power_on"],
    ["test.raises"],
    ["test.nap", "wait", "power_off"],
    [{"step": "wait", "timeout_s": 0.2}],
    [{"interface": "test", "step": "rubbish", "retries": 1, "retry_delay_s": 0.05}],
)


class Teller:
    """Somebody who does anything to some nodes, in an order that a seed decides."""

    def __init__(self, story: Story, rng: random.Random) -> None:
        self._story = story
        self._rng = rng
        self.requests: list[Request] = []

    def do_something(self) -> None:
        """Do one thing; that it is refused is a part of the story."""
        node = self._rng.choice(NODES)
        deed = self._rng.choice(
            (self._move, self._move, self._move, self._answer, self._answer, self._steer, self._rest)
        )
        try:
            deed(node)
        except CastironError:
            return

    def _move(self, node: str) -> None:
        accepted = [one for one in ProvisionTarget if self._rng.random() < 0.7]
        for target in accepted:
            steps = self._rng.choice(LISTS)
            mode = self._rng.choice(("serial", "parallel"))
            try:
                self.requests.append(self._story.move(node, target, steps, engine_mode=mode))
            except CastironError:
                continue
            return

    def _answer(self, node: str) -> None:
        for one in self._story.client.provision.steps(node).steps:
            if one.token is not None:
                error = self._rng.choice((None, None, "it did not work"))
                self._story.client.provision.step_done(node, one.token, error=error)

    def _steer(self, node: str) -> None:
        provision = self._story.client.provision
        self._rng.choice((provision.abort, provision.hold, provision.unhold))(node)

    def _rest(self, node: str) -> None:
        if self._rng.random() < 0.3:
            self._story.client.nodes.delete(node)
            self._story.client.nodes.create(node, driver="fake")
        else:
            self._story.client.nodes.power(node, self._rng.choice(("power on", "power off")))

    def end(self) -> None:
        """Answer and let go on until nothing is under way any more."""
        until(self._is_at_rest, timeout_s=PATIENCE_S)
        for request in self.requests:
            assert self._story.client.requests.show(request.id).state in FINAL_REQUEST_STATES

    def _is_at_rest(self) -> bool:
        """End what is under way; return whether nothing was, and nothing waits to begin in its place."""
        open_ones = self._story.client.requests.list(states=sorted(set(RequestState) - FINAL_REQUEST_STATES))
        for name in {request.view.node for request in open_ones}:
            for put in (self._story.client.provision.abort, self._answer):
                with suppress(CastironError):
                    put(name)
        return not open_ones


@pytest.mark.parametrize("seed", range(4))
def test_the_events_alone_rebuild_where_each_node_stands(begin: Begin, seed: int) -> None:
    story = begin()
    for name in NODES:
        story.client.nodes.create(name, driver="fake")
    teller = Teller(story, random.Random(seed))

    for moment in range(MOMENTS):
        teller.do_something()
        if moment % 20 == 0:
            story.check()
    teller.end()

    events = story.told()
    assert rebuilt(events) == {node.uuid: standing(node) for node in story.client.nodes.list()}
    assert sum(event.type in MOVES for event in events) > 30, "a story in which something happens"
    assert story.client.status().actors["crashes"] == 0
