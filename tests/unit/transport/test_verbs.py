"""The table of verbs, and the verbs that are stored."""

import typing

import pytest

from castiron.transport import verbs
from castiron.transport.errors import WIRE_ERRORS, ArgumentInvalid
from castiron.transport.replies import RESULTS, RequestView
from castiron.transport.shapes import fields_of
from castiron.transport.verbs import VERBS, NodeCreate, NodePowerSet, NodeSet, Verb
from castiron.transport.vocabulary import PowerTarget, ReplyWish


def test_table_union_and_results_name_the_same_verbs() -> None:
    assert set(VERBS.values()) == set(typing.get_args(verbs.AnyVerb))
    assert set(VERBS) == set(RESULTS)
    assert {verb for verb in VERBS.values() if verb.becomes_request} == set(typing.get_args(verbs.AnyNodeRequest))


@pytest.mark.parametrize("tag", VERBS)
def test_a_verb_says_what_a_reader_needs(tag: str) -> None:
    verb = VERBS[tag]

    assert verbs.tag_of(verb) == tag
    assert verb.__doc__
    assert all(error.code in WIRE_ERRORS for error in verb.refusals)
    assert all(field.meaning for field in fields_of(verb))
    assert verb.makes_work or verb.idempotent, "what only looks may be repeated"
    assert not verb.becomes_request or (verb.makes_work and RESULTS[tag] is RequestView)


@pytest.mark.parametrize("interval_s", [5e-324, 1e-9, 0.0999])
def test_no_machine_may_be_checked_without_a_pause(interval_s: float) -> None:
    for make in (
        lambda: NodeCreate(name="n1", power_check_interval_s=interval_s),
        lambda: NodeSet(node="n1", power_check_interval_s=interval_s),
    ):
        with pytest.raises(ArgumentInvalid, match=r"Expected 0, or `float` >= 0.1, at \$.power_check_interval_s"):
            make()


@pytest.mark.parametrize("interval_s", [0, 0.0, 0.1, 25, None])
def test_a_machine_may_be_checked_never_as_the_others_or_with_a_pause(interval_s: float | None) -> None:
    assert NodeCreate(name="n1", power_check_interval_s=interval_s).power_check_interval_s == interval_s
    assert NodeSet(node="n1", power_check_interval_s=interval_s).power_check_interval_s == interval_s


def test_a_stored_request_keeps_its_arguments_without_the_wish() -> None:
    verb = NodePowerSet(node="n1", target=PowerTarget.ON, replies=ReplyWish.BOTH, timeout_s=5.0)

    arguments = verbs.arguments_of(verb)

    assert arguments == {"node": "n1", "target": "power on", "timeout_s": 5.0, "hard_fallback": False}
    assert verbs.from_arguments("node.power.set", arguments) == NodePowerSet(
        node="n1", target=PowerTarget.ON, timeout_s=5.0
    )


def test_every_verb_is_a_verb() -> None:
    assert all(issubclass(verb, Verb) for verb in VERBS.values())
