"""The provision state machine's table: whole, consistent, and as the reference has it."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import pytest

from castiron.actors.core.provision.states import ABORTS, STABLE, TARGETS, TRANSITIONS, WORKING, Row, after, events_of
from castiron.transport.vocabulary import ProvisionEvent, ProvisionState

REFERENCE: Final = """
enroll: manage→verifying
verifying: done→manageable, fail→enroll
manageable: provide→cleaning, clean→cleaning, inspect→inspecting, adopt→adopting
available: deploy→deploying, manage→manageable
deploying: done→active, fail→deploy failed, wait→wait call-back, hold→deploy hold
wait call-back: resume→deploying, fail→deploy failed, abort→deploy failed, hold→deploy hold, delete→deleting
deploy hold: unhold→wait call-back, abort→deploy failed
deploy failed: rebuild→deploying, deploy→deploying, delete→deleting
active: rebuild→deploying, delete→deleting, rescue→rescuing, service→servicing
deleting: clean→cleaning, fail→error
error: rebuild→deploying, delete→deleting
cleaning: done→available, manage→manageable, fail→clean failed, wait→clean wait, hold→clean hold
clean wait: resume→cleaning, fail→clean failed, abort→clean failed, hold→clean hold
clean hold: unhold→clean wait, abort→clean failed
clean failed: manage→manageable
inspecting: done→manageable, fail→inspect failed, wait→inspect wait
inspect wait: done→manageable, resume→inspecting, fail→inspect failed, abort→inspect failed
inspect failed: manage→manageable, inspect→inspecting
adopting: done→active, fail→adopt failed
adopt failed: adopt→adopting, manage→manageable
rescuing: done→rescue, wait→rescue wait, fail→rescue failed
rescue wait: resume→rescuing, fail→rescue failed, abort→rescue failed, delete→deleting
rescue: rescue→rescuing, unrescue→unrescuing, delete→deleting
rescue failed: rescue→rescuing, unrescue→unrescuing, delete→deleting
unrescuing: done→active, fail→unrescue failed
unrescue failed: rescue→rescuing, unrescue→unrescuing, delete→deleting
servicing: done→active, fail→service failed, wait→service wait, hold→service hold
service wait: resume→servicing, fail→service failed, abort→service failed, hold→service hold, delete→deleting
service hold: service→servicing, unhold→service wait, fail→service failed, abort→service failed
service failed: service→servicing, rescue→rescuing, wait→service wait, hold→service hold, delete→deleting, abort→active
"""
"""What the reference does, as its table was read: the other hand of the double entry."""


def reference() -> dict[tuple[str, str], str]:
    """Return the reference's rows: (state, event) → state."""
    rows = (line.split(": ", 1) for line in REFERENCE.strip().splitlines())
    return {(state, arrow.split("→")[0]): arrow.split("→")[1] for state, arrows in rows for arrow in arrows.split(", ")}


def plain(table: Mapping[tuple[ProvisionState, ProvisionEvent], Row]) -> dict[tuple[str, str], str]:
    """Return a table without its reasons."""
    return {(state.value, event.value): row.to.value for (state, event), row in table.items()}


def test_the_rows_are_the_references() -> None:
    assert plain(TRANSITIONS) == reference()
    assert len(TRANSITIONS) == 93


def test_all_states_and_events_are_in_it() -> None:
    assert {state for state, _ in TRANSITIONS} == set(ProvisionState)
    assert {event for _, event in TRANSITIONS} == set(ProvisionEvent)
    assert (len(ProvisionState), len(ProvisionEvent)) == (30, 18)


@pytest.mark.parametrize("state", ProvisionState)
@pytest.mark.parametrize("event", ProvisionEvent)
def test_every_pair_leads_where_the_reference_says_or_nowhere(state: ProvisionState, event: ProvisionEvent) -> None:
    beyond = {
        ("verifying", "abort"): "enroll",
        ("deploying", "abort"): "deploy failed",
        ("cleaning", "abort"): "clean failed",
        ("inspecting", "abort"): "inspect failed",
        ("adopting", "abort"): "adopt failed",
        ("rescuing", "abort"): "rescue failed",
        ("unrescuing", "abort"): "unrescue failed",
        ("servicing", "abort"): "service failed",
        ("deleting", "abort"): "error",
    }
    assert after(state, event) == (reference() | beyond).get((state.value, event.value))


def test_the_aborts_stand_beside_the_reference_and_contradict_no_row_of_it() -> None:
    assert not TRANSITIONS.keys() & ABORTS.keys()
    for state, _ in ABORTS:
        failed = after(state, ProvisionEvent.FAIL)
        assert after(state, ProvisionEvent.ABORT) == failed, state


def test_every_row_says_why() -> None:
    assert all(len(row.why) > 8 for row in (*TRANSITIONS.values(), *ABORTS.values()))


def test_whoever_is_not_at_rest_is_on_the_way_to_a_state_of_rest() -> None:
    assert set(TARGETS) == set(ProvisionState) - STABLE
    assert set(TARGETS.values()) <= STABLE


def test_from_every_state_there_is_a_way_to_every_state_of_rest_but_enroll() -> None:
    for start in ProvisionState:
        reached, edge = {start}, [start]
        while edge:
            state = edge.pop()
            for event in events_of(state):
                to = after(state, event)
                assert to is not None
                if to not in reached:
                    reached.add(to)
                    edge.append(to)
        assert reached >= STABLE - {ProvisionState.ENROLL}, start


def test_working_states_can_fail_and_be_aborted_and_nothing_else_is_working() -> None:
    assert {state for state in ProvisionState if state.value.endswith("ing")} == WORKING
    for state in WORKING:
        assert after(state, ProvisionEvent.FAIL) is not None
    counted = Counter(event for _, event in ABORTS)
    assert counted == {ProvisionEvent.ABORT: 9}
