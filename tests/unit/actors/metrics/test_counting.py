"""What is counted of nodes, of their BMCs' answers and of requests, held against the plain way to count it."""

from dataclasses import replace
from random import Random

from castiron.actors.metrics.census import Census
from castiron.actors.metrics.happenings import Ended, Endings
from castiron.actors.metrics.responses import MAX_NAMED, MAX_SLOWEST, Responses
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.errors import BMCCredentials, BMCUnreachable
from castiron.transport.vocabulary import (
    ConductorID,
    Fault,
    Instant,
    NodeName,
    NodeUUID,
    PowerState,
    ProvisionState,
    RequestID,
    RequestState,
)


def record(number: int) -> NodeRecord:
    return NodeRecord(
        uuid=NodeUUID(f"u{number}"),
        name=NodeName(f"n{number}"),
        driver="fake",
        created_at=Instant(0.0),
        updated_at=Instant(0.0),
        owner=ConductorID("c"),
    )


def test_a_census_is_what_a_count_of_all_nodes_yields() -> None:
    rng, census = Random(5), Census()
    nodes: dict[int, NodeRecord] = {}
    for _ in range(2_000):
        number = rng.randrange(50)
        before = nodes.get(number)
        if before is not None and rng.random() < 0.1:
            census.move(before, None)
            del nodes[number]
            continue
        after = replace(
            before or record(number),
            power_state=rng.choice([None, *PowerState]),
            provision_state=rng.choice(list(ProvisionState)),
            maintenance=rng.random() < 0.5,
            fault=rng.choice([None, *Fault]),
        )
        census.move(before, after)
        nodes[number] = after

    assert census.total == len(nodes) > 20
    assert census.maintenance == sum(node.maintenance for node in nodes.values())
    for state in PowerState:
        assert census.by_power()[state.value] == sum(node.power_state is state for node in nodes.values())
    assert census.by_power()["unknown"] == sum(node.power_state is None for node in nodes.values())
    assert sum(census.by_provision().values()) == len(nodes)
    assert all(census.by_provision().values())
    assert sum(census.by_fault().values()) == sum(node.fault is not None for node in nodes.values())


def test_a_census_counts_moves_and_nothing_twice() -> None:
    census, before = Census(), record(1)
    after = replace(before, provision_state=ProvisionState.VERIFYING)
    census.move(None, before)
    census.move(before, before)
    census.move(before, after)
    census.move(after, replace(after, maintenance=True))

    assert census.changes() == {(ProvisionState.ENROLL, ProvisionState.VERIFYING): 1}
    assert census.total == 1


def test_the_slowest_are_found_within_one_round_of_checks() -> None:
    rng, responses = Random(3), Responses()
    took_s = {NodeUUID(f"n{number}"): rng.uniform(0.001, 2.0) for number in range(500)}
    for _ in range(2):
        for node, seconds in took_s.items():
            responses.answered(node, seconds)

    expected = sorted(took_s.items(), key=lambda pair: -pair[1])[:MAX_SLOWEST]
    assert responses.slowest() == expected
    quick = expected[0][0]
    responses.answered(quick, 0.0001)
    assert quick not in [node for node, _ in responses.slowest()[:-1]], "it is slow no more"
    responses.forget(expected[1][0])
    assert expected[1][0] not in dict(responses.slowest())


def test_who_fails_is_counted_by_why_and_named_if_longest() -> None:
    responses = Responses()
    for number in range(100):
        responses.failed(NodeUUID(f"n{number}"), BMCUnreachable("silent"), Instant(number))
    responses.failed(NodeUUID("n5"), BMCUnreachable("silent"), Instant(500.0))
    responses.failed(NodeUUID("n6"), BMCCredentials("no"), Instant(501.0))
    responses.answered(NodeUUID("n0"), 0.1)
    responses.forget(NodeUUID("n1"))

    assert responses.failing_by_code() == {"bmc.credentials": 1, "bmc.unreachable": 97}
    assert responses.begun() == {"bmc.credentials": 1, "bmc.unreachable": 100}
    named = responses.failing()
    assert len(named) == MAX_NAMED
    assert named[0].node == "n2"
    assert [(one.since, one.code) for one in named if one.node == "n6"] == [(6.0, "bmc.credentials")]


def ended(target: str, took_s: float | None, state: RequestState = RequestState.SUCCEEDED) -> RequestRecord:
    return RequestRecord(
        id=RequestID("r"),
        node_uuid=NodeUUID("u"),
        node_name=NodeName("n"),
        verb="node.power.set",
        arguments={"target": target},
        requester="test",
        state=state,
        accepted_at=Instant(0.0),
        started_at=None if took_s is None else Instant(10.0),
        ended_at=Instant(10.0 + (took_s or 0.0)),
    )


def test_requests_are_counted_by_words_of_the_protocol_alone() -> None:
    endings = Endings()
    endings.note(ended("power on", 2.0))
    endings.note(ended("power on", None, RequestState.CANCELLED))
    endings.note(ended("a word that nobody knows", 1.0, RequestState.FAILED))

    on, unknown = Ended("node.power.set", "power on"), Ended("node.power.set", "")
    assert endings.states() == {
        (on, RequestState.SUCCEEDED): 1,
        (on, RequestState.CANCELLED): 1,
        (unknown, RequestState.FAILED): 1,
    }
    assert endings.times()[on].total_s == 2.0, "one that had not begun took no time"
