"""The tables name every case, and judging reads them."""

from itertools import product

import pytest
from msgspec import structs

from castiron.actors.core.requests.compatibility import (
    ADMITTANCE,
    HINDRANCES,
    MEETINGS,
    POLICIES,
    READS,
    Condition,
    Conflict,
    Enqueue,
    Meeting,
    Merge,
    Turn,
    judge,
)
from castiron.actors.core.requests.obstacles import UNDER_WAY
from castiron.actors.core.state import NodeState
from castiron.store.records import RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.verbs import (
    VERBS,
    AnyNodeRequest,
    NodeBootDeviceGet,
    NodeBootDeviceSet,
    NodePowerSet,
    NodeProvisionSet,
    NodeRequest,
    arguments_of,
    tag_of,
)
from castiron.transport.vocabulary import Policy, PowerTarget, ProvisionState, ProvisionTarget, RequestState
from tests.support.store_records import plain_node, plain_request

ON = NodePowerSet(node="n1", target=PowerTarget.ON)
OFF = NodePowerSet(node="n1", target=PowerTarget.OFF)
PXE = NodeBootDeviceSet(node="n1", boot_device="pxe")
DISK = NodeBootDeviceSet(node="n1", boot_device="disk")
READ = NodeBootDeviceGet(node="n1")
MANAGE = NodeProvisionSet(node="n1", target=ProvisionTarget.MANAGE)
PROVIDE = NodeProvisionSet(node="n1", target=ProvisionTarget.PROVIDE)
SAMPLES: dict[str, tuple[AnyNodeRequest, AnyNodeRequest]] = {
    tag_of(ON): (ON, OFF),
    tag_of(PXE): (PXE, DISK),
    tag_of(READ): (READ, READ),
    tag_of(MANAGE): (MANAGE, PROVIDE),
}
"""Verb → one that asks for something, and one that asks for something else where the verb has that."""
REQUESTS = [tag for tag, verb in VERBS.items() if issubclass(verb, NodeRequest)]


def record(verb: AnyNodeRequest, number: int, state: RequestState = RequestState.QUEUED) -> RequestRecord:
    return plain_request(number, verb=tag_of(verb), arguments=arguments_of(verb), state=state)


def node(*queue: AnyNodeRequest, running: AnyNodeRequest | None = None, maintenance: bool = False) -> NodeState:
    return NodeState(
        record=plain_node(maintenance=maintenance),
        interrupted=None if running is None else record(running, 1, RequestState.RUNNING),
        queue=tuple(record(verb, number) for number, verb in enumerate(queue, start=2)),
    )


def test_every_pair_of_requests_has_a_row_with_a_reason() -> None:
    assert set(MEETINGS) == set(product(REQUESTS, REQUESTS))
    assert all(row.why for row in MEETINGS.values())


def test_every_policy_has_a_rule_for_what_waits_and_for_what_has_started() -> None:
    assert set(POLICIES) == set(product(Policy, (False, True)))
    assert all(rule.why for rule in POLICIES.values())


def test_every_verb_is_admitted_or_not_wherever_a_node_stands() -> None:
    assert set(ADMITTANCE) == set(product((*REQUESTS, *HINDRANCES), Condition))
    assert all(why for _, why in ADMITTANCE.values())


def test_reads_never_conflict_and_changes_never_take_turns_with_each_other() -> None:
    for (asked, other), row in MEETINGS.items():
        if asked in READS or other in READS:
            assert Meeting.CONFLICT not in row[:2], (asked, other)
        else:
            assert Meeting.TAKE_TURNS not in row[:2], (asked, other)


@pytest.mark.parametrize(
    ("asked", "other", "policy", "has_started", "is_equal"),
    list(product(REQUESTS, REQUESTS, Policy, (False, True), (False, True))),
)
def test_each_pair_is_judged_as_its_row_and_the_policy_say(
    asked: str, other: str, policy: Policy, has_started: bool, is_equal: bool
) -> None:
    first = SAMPLES[other][0]
    verb = first if asked == other and is_equal else SAMPLES[asked][1]
    verb = structs.replace(verb, policy=policy)
    state = node(running=first) if has_started else node(first)
    met = state.open[0]
    is_same = asked == other and arguments_of(verb) == arguments_of(first)
    row = MEETINGS[asked, other]

    verdict = judge(state, verb)

    match row.equal if is_same else row.other:
        case Meeting.MERGE:
            assert verdict == Merge(met)
        case Meeting.TAKE_TURNS:
            assert verdict == Enqueue()
        case Meeting.CONFLICT:
            turn = POLICIES[policy, has_started].turn
            expected = {
                Turn.REFUSE: Conflict(met),
                Turn.QUEUE: Enqueue(depends_on=met.id if policy is Policy.AFTER else None),
                Turn.SUPERSEDE: Enqueue(superseded=(met,)),
            }
            assert verdict == expected[turn]


def test_an_idle_node_takes_whatever_is_asked() -> None:
    for verb in (ON, PXE, READ):
        assert judge(node(), verb) == Enqueue()


def test_what_is_wanted_again_is_not_merged() -> None:
    assert judge(node(ON), structs.replace(ON, again=True)) == Conflict(node(ON).queue[0])
    assert judge(node(ON), structs.replace(ON, again=True, policy=Policy.AFTER)) == Enqueue(
        depends_on=node(ON).queue[0].id
    )
    assert judge(node(READ), structs.replace(READ, again=True)) == Enqueue()


def test_nothing_is_merged_into_what_a_change_follows() -> None:
    """Off, on, off: the second off is not the first one."""
    state = node(ON, running=OFF)

    assert judge(state, OFF) == Conflict(state.queue[0])
    assert judge(state, structs.replace(OFF, policy=Policy.AFTER)) == Enqueue(depends_on=state.queue[0].id)


def test_nothing_is_merged_into_what_is_being_aborted() -> None:
    state = node(running=ON)
    assert state.interrupted is not None
    state = replace(state, interrupted=replace(state.interrupted, abort_by="ipc"))
    met = state.open[0]

    assert judge(state, ON) == Conflict(met)
    assert judge(state, structs.replace(ON, policy=Policy.SUPERSEDE)) == Enqueue()


def test_a_read_between_does_not_keep_equal_changes_apart_but_a_change_keeps_reads_apart() -> None:
    state = node(READ, running=ON)
    assert judge(state, ON) == Merge(state.running or state.queue[0])

    assert judge(node(PXE, running=READ), READ) == Enqueue()


def test_the_latest_word_supersedes_all_that_waits_and_waits_for_what_runs() -> None:
    state = node(OFF, READ, PXE, running=ON)

    verdict = judge(state, structs.replace(DISK, policy=Policy.SUPERSEDE))

    assert verdict == Enqueue(superseded=(state.queue[2], state.queue[0]))


def test_what_is_held_stands_aside_unless_the_newcomer_is_held_as_well() -> None:
    held = plain_request(2, verb=tag_of(ON), arguments=arguments_of(ON), state=RequestState.QUEUED, hold=True)
    state = NodeState(record=plain_node(maintenance=True), queue=(held,))

    assert judge(state, OFF) == Enqueue()
    assert judge(state, ON) == Enqueue()
    assert judge(state, structs.replace(ON, hold=True)) == Merge(held)
    assert judge(state, structs.replace(OFF, hold=True)) == Conflict(held)


def test_how_long_it_may_take_and_what_the_node_is_called_make_no_other_request_of_it() -> None:
    state = node(ON)

    assert judge(state, NodePowerSet(node="renamed", target=PowerTarget.ON, timeout_s=5.0)) == Merge(state.queue[0])
    assert isinstance(judge(state, NodePowerSet(node="n1", target=PowerTarget.ON, hard_fallback=True)), Conflict)


def test_a_request_that_a_newer_castiron_left_is_in_the_way_of_everything() -> None:
    strange = plain_request(2, verb="node.deploy", state=RequestState.QUEUED)

    for verb in (ON, PXE, READ):
        assert judge(NodeState(record=plain_node(), queue=(strange,)), verb) == Conflict(strange)


WAITING = {
    ("wait call-back", "undeploy"),
    ("rescue wait", "undeploy"),
    ("service wait", "undeploy"),
    ("service hold", "service"),
}
"""(state, target): where the states' table, which has its own double entry, lets a move begin from a wait or a hold."""


@pytest.mark.parametrize("at", sorted(UNDER_WAY))
@pytest.mark.parametrize("asked", list(ProvisionTarget))
def test_each_two_moves_meet_as_their_row_says_or_the_one_ends_that_waits(
    asked: ProvisionTarget, at: ProvisionState
) -> None:
    for under_way, policy in product(ProvisionTarget, Policy):
        verb = NodeProvisionSet(node="n1", target=asked, policy=policy)
        other = NodeProvisionSet(node="n1", target=under_way)
        waiting = node(other)
        running = node(running=other).recording(provision_state=at)
        is_ended = (at.value, asked.value) in WAITING
        for state in (waiting, running):
            verdict = judge(state, verb)
            if asked is under_way:
                assert isinstance(verdict, Merge)
            elif state is running and is_ended:
                assert verdict == Enqueue(aborted=running.running)
            elif policy is Policy.STRICT:
                assert isinstance(verdict, Conflict)
            else:
                assert isinstance(verdict, Enqueue)
                assert verdict.aborted is None
                assert bool(verdict.superseded) == (policy is Policy.SUPERSEDE and state is waiting)
                assert bool(verdict.depends_on) == (policy is Policy.AFTER)
