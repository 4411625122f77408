"""Every verb says for itself which role it needs, and the roles are what their words promise."""

import pytest

from castiron.transport.verbs import VERBS, NodeStepList, Verb
from castiron.transport.vocabulary import Role


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_every_verb_names_its_role(verb: type[Verb]) -> None:
    assert "role" in vars(verb), "one that names none is for admins, and nobody has thought about it"
    assert isinstance(verb.role, Role)


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_a_reader_changes_nothing_and_reaches_no_machine(verb: type[Verb]) -> None:
    """But for the tokens of steps: they are shown, and whoever holds one may say how its step ended."""
    assert (verb.role is Role.READER) == (not verb.makes_work and verb is not NodeStepList)


def test_nodes_are_made_and_changed_by_admins_only() -> None:
    assert {tag for tag, verb in VERBS.items() if verb.role is Role.ADMIN} >= {"node.create", "node.set", "node.delete"}


def test_a_verb_that_says_nothing_is_for_admins() -> None:
    assert Verb.role is Role.ADMIN
