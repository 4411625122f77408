"""A request's trace: its whole life, bounded, and honest about what a crash has cost."""

import pytest
from msgspec import structs

from castiron.actors.core.messages import PermitGranted
from castiron.actors.core.requests import tracing
from castiron.actors.core.requests.tracing import KEPT_FIRST, MAX_ENTRIES, Trace
from castiron.actors.drivers.base import Done, GetPower
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import Instant, PowerState, PowerTarget, RequestID, TraceWord
from tests.support.node_world import World
from tests.support.weather import Fate, Gust
from tests.unit.core.node.messages import POWER_ON, world
from tests.unit.core.requests.asked import OFF_AFTER


def words(trace: Trace) -> list[str]:
    return [str(entry.word) for entry in trace]


def told(node: World, request: RequestID) -> Trace:
    """Return what whoever asks now is told."""
    return node.state.traced(node.requests[request]).trace


def exchanges(trace: Trace) -> list[tuple[str, object, int]]:
    return [
        (entry.details["asked"], entry.details.get("answer", entry.details.get("error")), entry.count)
        for entry in trace
        if entry.word is TraceWord.EXCHANGE
    ]


def test_a_life_is_told_from_its_acceptance_to_its_end() -> None:
    node = world()
    request = node.submit(structs.replace(POWER_ON, key="a-key-of-mine", deadline_at=node.now + 60))
    node.drain()
    trace = told(node, request)

    assert words(trace) == ["accepted", "queued", "started", *["exchange"] * 3, "wait", "exchange", "ended"]
    assert trace[0].details == {
        "requester": "ipc",
        "policy": "strict",
        "key": "a-key-of-mine",
        "deadline_at": node.requests[request].deadline_at,
    }
    assert trace[1].details == {"position": 1}
    assert exchanges(trace)[:2] == [("read power state", "power off", 1), ("power on", "done", 1)]
    assert exchanges(trace)[-1][:2] == ("read power state", "power on")
    assert trace[-1].details == {"state": "succeeded"}
    assert [entry.at for entry in trace] == sorted(entry.at for entry in trace)
    assert all(entry.until is not None and entry.until > entry.at for entry in trace if "asked" in entry.details)
    assert trace == node.requests[request].trace, "the whole of it is on disk with its end"


HOOK, OTHER_HOOK = "https://a.example/hook?token=hush", "https://b.example/hook"


def test_who_withdraws_is_not_called_unless_somebody_else_wants_the_same_called() -> None:
    node = world()
    node.submit(POWER_ON)
    node.grant()
    behind = node.submit(structs.replace(OFF_AFTER, callback_url=HOOK))
    node.submit(structs.replace(OFF_AFTER, callback_url=OTHER_HOOK), "tcp:192.0.2.7")
    node.submit(structs.replace(OFF_AFTER, callback_url=HOOK), "tcp:192.0.2.7")
    node.withdraw(behind, "tcp:192.0.2.7")
    node.drain()

    request = node.requests[behind]
    (withdrawn,) = [entry for entry in request.trace if entry.word is TraceWord.WITHDRAWN]
    assert dict(request.callbacks) == {HOOK: ("ipc",)}
    assert withdrawn.details == {"requester": "tcp:192.0.2.7", "not_called": [OTHER_HOOK]}
    assert [(url, state) for one, url, state in node.owed if one == behind] == [(HOOK, "succeeded")]


def test_who_withdraws_and_comes_back_is_called() -> None:
    node = world()
    node.submit(POWER_ON)
    node.grant()
    behind = node.submit(OFF_AFTER)
    node.submit(structs.replace(OFF_AFTER, callback_url=HOOK), "tcp:192.0.2.7")
    node.withdraw(behind, "tcp:192.0.2.7")
    node.submit(structs.replace(OFF_AFTER, callback_url=HOOK), "tcp:192.0.2.7")

    (withdrawn,) = [entry for entry in told(node, behind) if entry.word is TraceWord.WITHDRAWN]
    assert dict(node.requests[behind].callbacks) == {HOOK: ("tcp:192.0.2.7",)}
    assert "hush" not in str(withdrawn.details)


def test_who_waits_is_told_behind_whom_and_who_merged() -> None:
    node = world()
    first = node.submit(POWER_ON)
    node.grant()
    behind = node.submit(OFF_AFTER)
    node.submit(OFF_AFTER, "tcp:192.0.2.7")
    node.withdraw(behind, "tcp:192.0.2.7")

    trace = told(node, behind)
    assert words(trace) == ["accepted", "queued", "merged", "withdrawn"]
    assert trace[0].details["depends_on"] == first
    assert trace[1].details == {"position": 1, "behind": first}
    assert trace[2].details == trace[3].details == {"requester": "tcp:192.0.2.7"}


def test_the_running_requests_trace_is_seen_before_it_is_on_disk() -> None:
    node = world(PowerState.OFF, Gust(takes_s=1.0))
    request = node.submit(POWER_ON)
    node.grant()

    assert words(node.requests[request].trace)[-1] == "started"
    assert words(told(node, request))[-1] == "exchange"
    assert told(node, request)[-1].until is None, "it is under way"
    node.submit(POWER_ON, "tcp")  # merged while it runs, which commits what was noted
    assert words(node.requests[request].trace)[-2:] == ["exchange", "merged"]
    node.advance()
    assert exchanges(told(node, request))[0] == ("read power state", "power off", 1), "its outcome finds its exchange"


def test_a_failure_has_its_code_and_what_was_applied() -> None:
    node = world(PowerState.OFF, Gust(), Gust(Fate.FAULT))
    request = node.submit(POWER_ON)
    node.run_until(node.now + 60)

    trace = told(node, request)
    assert exchanges(trace)[1][:2] == ("power on", "bmc.fault")
    assert trace[-1].details == {"state": "failed", "error": "bmc.fault", "applied": "no"}


def test_an_abort_and_the_last_look_are_in_it() -> None:
    node = world(PowerState.OFF, Gust(), Gust(effect_after_s=None))
    request = node.submit(POWER_ON)
    node.run_until(node.now + 0.5)
    node.withdraw(request, is_abort=True)
    node.drain()

    trace = told(node, request)
    assert words(trace).count("abort") == 1
    assert trace[-1].details["error"] == "request.aborted"
    assert words(trace).index("abort") < len(trace) - 1


def test_equal_polls_are_one_entry_with_a_count() -> None:
    node = world(PowerState.OFF, Gust(), Gust(effect_after_s=7.0))
    request = node.submit(POWER_ON)
    node.run_until(node.now + 60)

    polls = [one for one in exchanges(told(node, request)) if one[:2] == ("read power state", "power off")]
    assert len(polls) == 2, "the first look, and the polls after the control"
    assert polls[1][2] > 3


@pytest.mark.parametrize("is_sent", [False, True])
def test_what_a_crash_has_cost_is_told(is_sent: bool) -> None:
    node = world(PowerState.OFF, Gust(), Gust(effect_after_s=7.0))
    request = node.submit(POWER_ON)
    node.grant()
    if is_sent:
        node.run_until(node.now + 2.0)
    known = words(node.requests[request].trace)
    node.crash()
    crashed_at = node.now
    node.drain()

    trace = told(node, request)
    lost = next(entry for entry in trace if entry.word is TraceWord.UNKNOWN)
    place = trace.index(lost)
    assert words(trace[:place]) == known, "what was on disk is kept"
    assert (lost.until, words(trace)[place + 1]) == (crashed_at, "resumed")
    assert lost.at < crashed_at
    assert trace[-1].details["state"] == "succeeded"
    if is_sent:
        assert trace[place - 1].details == {"asked": "power on"}, "its outcome is not known, and none is claimed"


def test_a_request_that_never_starts_ends_its_trace_all_the_same() -> None:
    node = world()
    request = node.submit(POWER_ON)
    node.withdraw(request)

    assert words(told(node, request)) == ["accepted", "queued", "ended"]
    assert told(node, request)[-1].details == {"state": "cancelled", "error": "request.cancelled", "applied": "no"}


def test_a_long_life_loses_its_middle_and_says_how_much() -> None:
    trace: Trace = ()
    for number in range(200):
        trace = tracing.noted(trace, TraceWord.MERGED, Instant(float(number)), requester=str(number))

    assert len(trace) == MAX_ENTRIES
    gap = trace[KEPT_FIRST]
    assert (gap.word, gap.count) == (TraceWord.OMITTED, 200 - MAX_ENTRIES + 1)
    assert (gap.at, gap.until) == (Instant(float(KEPT_FIRST)), Instant(float(KEPT_FIRST + gap.count - 1)))
    assert [entry.details["requester"] for entry in trace[:KEPT_FIRST]] == [str(one) for one in range(KEPT_FIRST)]
    assert trace[-1].details["requester"] == "199"


def test_an_outcome_whose_exchange_is_not_kept_is_not_claimed_of_another() -> None:
    trace = tracing.asked((), GetPower(), Instant(1.0))
    closed = tracing.heard(trace, Done(value=PowerState.ON), Instant(2.0))
    merged = tracing.noted(closed, TraceWord.MERGED, Instant(3.0), requester="tcp")

    assert tracing.heard(merged, Done(value=PowerState.OFF), Instant(4.0)) == merged
    assert tracing.heard((), Done(value=PowerState.OFF), Instant(4.0)) == ()


def test_a_grant_that_is_told_twice_starts_it_once() -> None:
    node = world()
    request = node.submit(NodePowerSet(node="n1", target=PowerTarget.ON))
    node.grant()
    node.tell(PermitGranted(request_id=request))

    assert words(told(node, request)).count("started") == 1
