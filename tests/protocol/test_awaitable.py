"""What only an awaitable client does: much at a time, on one loop that nothing holds up, and calls that are cancelled.

What it has in common with the blocking one is tested with that one's tests, in both manners.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from itertools import pairwise
from typing import Any

import pytest

import castiron
from castiron.transport.errors import ConductorLost, NodeNotFound, ReplyTimeout
from castiron.transport.session import Limits
from castiron.transport.vocabulary import Applied
from tests.protocol.conftest import House, Opener
from tests.support.raw_peer import RawDoor

SOON_S = 20.0


def driven(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a coroutine: on a loop of its own, of which no task may be left."""

    def drive(**given: Any) -> None:
        async def watched() -> None:
            async with asyncio.timeout(SOON_S):
                await test(**given)
            await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, left

        asyncio.run(watched())

    return wraps(test)(drive)


async def soon(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - what it looks at tells nobody
            await asyncio.sleep(0.005)


@driven
async def test_many_tasks_ask_at_once_and_each_has_its_own_answer(house: House) -> None:
    async with castiron.connect_async(house.endpoint) as client, asyncio.TaskGroup() as group:
        made = [group.create_task(client.nodes.create(f"n{number}", driver="fake")) for number in range(300)]
        await asyncio.gather(*made)
        shown = await asyncio.gather(*(client.nodes.show(f"n{number}") for number in range(300)))

    assert [view.name for view in shown] == [f"n{number}" for number in range(300)]


@driven
async def test_no_more_is_in_flight_than_the_conductor_allows_and_what_is_above_waits(open_house: Opener) -> None:
    house = open_house(limits=Limits(in_flight_per_peer=6))
    async with castiron.connect_async(house.endpoint) as client:
        await client.nodes.create("n1", driver="fake")
        shown = await asyncio.gather(*(client.nodes.show("n1") for _ in range(100)))

    assert len(shown) == 100
    assert house.door.counters()["refused"] == 0


@driven
async def test_who_finds_no_room_in_time_is_told_that_nothing_was_sent(open_house: Opener) -> None:
    house = open_house(limits=Limits(in_flight_per_peer=4))
    async with castiron.connect_async(house.endpoint, timeout_s=0.5) as client:
        await client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        requests = [await client.nodes.power("n1", "power on") for _ in range(2)]
        waits = [asyncio.create_task(request.wait(SOON_S)) for request in requests]
        await asyncio.sleep(0)
        with pytest.raises(ReplyTimeout, match="was not sent") as caught:
            await asyncio.gather(*(client.nodes.show("n1") for _ in range(2)), client.nodes.set_maintenance("n1"))
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)

    assert caught.value.applied == Applied.NO


@driven
async def test_a_short_question_is_not_held_up_by_one_that_waits_long(house: House) -> None:
    async with castiron.connect_async(house.endpoint) as client:
        await client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        request = await client.nodes.power("n1", "power on")
        wait = asyncio.create_task(request.wait(SOON_S))
        for _ in range(20):
            await client.nodes.show("n1")
        assert not wait.done()

        await client.requests.abort(request.id)
        assert (await wait).is_final


@driven
async def test_a_deadline_counts_while_the_reader_waits_for_another_answer(house: House) -> None:
    async with castiron.connect_async(house.endpoint) as client:
        await client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        request = await client.nodes.power("n1", "power on")
        long = asyncio.create_task(request.wait(SOON_S))
        await asyncio.sleep(0)
        began = time.monotonic()
        with pytest.raises(ReplyTimeout):
            await request.wait(0.1)
        assert time.monotonic() - began < SOON_S / 2
        assert not long.done()
        long.cancel()
        await asyncio.wait([long])


@driven
async def test_waits_that_are_cancelled_keep_their_places_until_they_are_answered_and_nobody_is_refused(
    open_house: Opener,
) -> None:
    house = open_house(limits=Limits(in_flight_per_peer=6))
    async with castiron.connect_async(house.endpoint) as client, castiron.connect_async(house.endpoint) as other:
        await client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        request = await client.nodes.power("n1", "power on")
        waits = [asyncio.create_task(request.wait(SOON_S)) for _ in range(20)]
        await asyncio.sleep(0.05)
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)
        shown = asyncio.create_task(client.nodes.show("n1"))  # finds no room: the waits are still in flight
        await asyncio.sleep(0.05)
        assert not shown.done()
        await other.requests.abort(request.id)

        assert (await shown).name == "n1"
        assert (await request.wait(SOON_S)).is_final
    assert all(wait.cancelled() for wait in waits)
    assert house.door.counters()["refused"] == 0


@driven
async def test_a_place_that_comes_free_for_one_who_is_just_cancelled_is_the_next_ones(open_house: Opener) -> None:
    house = open_house(limits=Limits(in_flight_per_peer=6))
    async with castiron.connect_async(house.endpoint, timeout_s=3) as client:
        names = [(await client.nodes.create(f"n{number}", driver="fake")).name for number in range(4)]
        house.conductor.held.update(names)
        requests = [await client.nodes.power(name, "power on") for name in names]
        waits = [asyncio.create_task(request.wait(SOON_S)) for request in requests]
        await asyncio.sleep(0.05)
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)
        first, second = (asyncio.create_task(client.nodes.show("n0")) for _ in range(2))
        await asyncio.sleep(0.05)
        conversation: Any = client._conversation
        let_in = conversation._let_in

        def cancel_and_let_in() -> None:
            first.cancel()
            let_in()

        conversation._let_in = cancel_and_let_in
        house.conductor.let_go("n0")

        assert (await second).name == "n0"
        assert first.cancelled()


@driven
async def test_one_that_fails_in_a_group_cancels_the_others_and_leaves_the_client_usable(house: House) -> None:
    async with castiron.connect_async(house.endpoint) as client:
        await client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        request = await client.nodes.power("n1", "power on")
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - the group raises
            async with asyncio.TaskGroup() as group:
                group.create_task(request.wait(SOON_S))
                group.create_task(client.nodes.show("nobody"))
        assert caught.group_contains(NodeNotFound)
        assert await client.ping()


@driven
async def test_the_loop_goes_on_while_a_conductor_is_waited_for(tmp_path: Any) -> None:
    late: list[float] = []

    async def beat() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            late.append(time.monotonic() - began)

    beats = asyncio.create_task(beat())
    async with castiron.connect_async(f"ipc://{tmp_path}/door", timeout_s=0.3) as client:
        with pytest.raises(ConductorLost) as caught:
            await client.nodes.power("n1", "power on")
    beats.cancel()

    assert caught.value.applied == Applied.NO
    assert len(late) > 5  # a call that blocks would have let none of them through


@driven
async def test_many_who_find_nobody_are_all_told_in_their_own_time(tmp_path: Any) -> None:
    with RawDoor(f"ipc://{tmp_path}/door"):
        async with castiron.connect_async(f"ipc://{tmp_path}/door", timeout_s=0.3) as client:
            outcomes = await asyncio.gather(*(client.ping() for _ in range(20)), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {ConductorLost}
    assert {outcome.applied for outcome in outcomes if isinstance(outcome, ConductorLost)} == {Applied.NO}


@driven
async def test_a_client_that_is_closed_ends_what_its_tasks_wait_for(house: House) -> None:
    client = castiron.connect_async(house.endpoint)
    await client.nodes.create("n1", driver="fake")
    house.conductor.held.add("n1")
    request = await client.nodes.power("n1", "power on")
    wait = asyncio.create_task(client.requests.show(request.id))
    stream = client.events()
    await stream.open()
    listening = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    await client.close()
    outcomes = await asyncio.gather(wait, listening, return_exceptions=True)

    assert isinstance(outcomes[0], ConductorLost | castiron.AsyncRequest)
    assert isinstance(outcomes[1], StopAsyncIteration)
    with pytest.raises(ConductorLost, match="closed"):
        await client.ping()
    await client.close()


@driven
async def test_events_are_heard_while_others_ask(house: House) -> None:
    async with castiron.connect_async(house.endpoint) as client, client.events() as stream:
        await asyncio.gather(*(client.nodes.create(f"n{number}", driver="fake") for number in range(50)))
        heard = [await anext(stream) for _ in range(50)]

    assert {event.node for event in heard} == {f"n{number}" for number in range(50)}
    assert all(one.seq + 1 == next_.seq for one, next_ in pairwise(heard))


@driven
async def test_several_streams_and_sends_share_a_loop(house: House) -> None:
    async with castiron.connect_async(house.endpoint) as client, client.events() as all_, client.events() as same:

        async def read(stream: Any) -> list[int]:
            return [(await anext(stream)).seq for _ in range(40)]

        reads = [asyncio.create_task(read(stream)) for stream in (all_, same)]
        for number in range(40):
            await client.nodes.create(f"n{number}", driver="fake")
        first, second = await asyncio.gather(*reads)

    assert first == second


@driven
async def test_an_idle_client_leaves_no_task_behind(house: House) -> None:
    async with castiron.connect_async(house.endpoint) as client:
        await client.ping()
        await soon(lambda: len(asyncio.all_tasks()) == 1)  # this one


@driven
async def test_a_wait_that_is_cancelled_leaves_no_task_behind(open_house: Opener) -> None:
    house = open_house(limits=Limits(heartbeat_interval_s=0.2))
    async with castiron.connect_async(house.endpoint) as client:
        await client.nodes.create("n1", driver="fake")
        house.conductor.held.add("n1")
        request = await client.nodes.power("n1", "power on")
        wait = asyncio.create_task(request.wait(2 * SOON_S))
        await asyncio.sleep(0.05)
        wait.cancel()
        await soon(lambda: len(asyncio.all_tasks()) == 1)
