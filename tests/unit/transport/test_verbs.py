"""The table of verbs, and the verbs that are stored."""

import typing

import pytest

from castiron.transport import verbs
from castiron.transport.errors import WIRE_ERRORS
from castiron.transport.replies import RESULTS, RequestView
from castiron.transport.shapes import fields_of
from castiron.transport.verbs import VERBS, NodePowerSet, Verb
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


def test_a_stored_request_keeps_its_arguments_without_the_wish() -> None:
    verb = NodePowerSet(node="n1", target=PowerTarget.ON, replies=ReplyWish.BOTH, timeout_s=5.0)

    arguments = verbs.arguments_of(verb)

    assert arguments == {"node": "n1", "target": "power on", "timeout_s": 5.0, "hard_fallback": False}
    assert verbs.from_arguments("node.power.set", arguments) == NodePowerSet(
        node="n1", target=PowerTarget.ON, timeout_s=5.0
    )


def test_every_verb_is_a_verb() -> None:
    assert all(issubclass(verb, Verb) for verb in VERBS.values())
