"""A runbook at its use: whose node it may be used on, and what a request becomes."""

import pytest

from castiron.actors.core.provision.planning import plan
from castiron.actors.core.runbooks.index import RunbookIndex
from castiron.actors.core.runbooks.using import expanded, of_runbook
from castiron.store.records import NodeRecord
from castiron.transport.errors import ArgumentInvalid, RunbookNotFound, RunbookTraitMissing, StepInvalid
from castiron.transport.verbs import NodeProvisionSet, StepWish, arguments_of
from castiron.transport.vocabulary import ProvisionTarget
from tests.support.store_records import plain_node
from tests.unit.core.runbooks.books import CATALOGUE, HUSH, created, secret, step

A = created(step("power_on"), secret())
FIRMWARE = created(step("raid.wipe"), name="firmware", number=2, traits=["CUSTOM_R7", "HW_CPU_X86_VMX"])
INDEX = RunbookIndex.of((A, FIRMWARE))


def asked(runbook: str | None, steps: list[StepWish] | None = None) -> NodeProvisionSet:
    return NodeProvisionSet(node="n1", target=ProvisionTarget.CLEAN, runbook=runbook, steps=steps)


def node(*traits: str) -> NodeRecord:
    return plain_node(traits=traits)


def test_a_request_without_a_runbook_stays_as_it_is() -> None:
    verb = asked(None, [StepWish(step="hold")])

    assert expanded(INDEX, verb, node()) == (verb, None)


@pytest.mark.parametrize("named", ["CUSTOM_A", A.uuid])
def test_a_request_gets_the_steps_and_keeps_what_it_named(named: str) -> None:
    verb, runbook = expanded(INDEX, asked(named), node("CUSTOM_A"))

    assert runbook == "CUSTOM_A"
    assert arguments_of(verb)["runbook"] == named
    assert [one["step"] for one in arguments_of(verb)["steps"]] == ["power_on", "set_password"]
    planned = plan(verb, CATALOGUE, 60.0)["clean"]
    assert planned[1]["secret_args"] == ["password"]
    assert HUSH not in str(planned), "it stays with the request's own arguments"


@pytest.mark.parametrize("traits", [(), ("CUSTOM_B",), ("CUSTOM_AB",)])
def test_a_node_without_the_trait_is_refused_by_name(traits: tuple[str, ...]) -> None:
    with pytest.raises(RunbookTraitMissing) as refused:
        expanded(INDEX, asked("CUSTOM_A"), node(*traits))

    name = plain_node().name
    wanted = {"node": name, "runbook": "CUSTOM_A", "wants": ["CUSTOM_A"], "traits": list(traits)}
    assert refused.value.details == wanted
    assert "needs the trait CUSTOM_A" in refused.value.message


def test_one_of_its_own_traits_will_do_and_its_name_will_not() -> None:
    assert expanded(INDEX, asked("firmware"), node("CUSTOM_X", "CUSTOM_R7")).runbook == "firmware"
    with pytest.raises(RunbookTraitMissing) as refused:
        expanded(INDEX, asked("firmware"), node("CUSTOM_FIRMWARE"))
    assert refused.value.details["wants"] == ["CUSTOM_R7", "HW_CPU_X86_VMX"]


def test_steps_and_a_runbook_are_not_asked_for_together() -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        expanded(INDEX, asked("CUSTOM_A", []), node("CUSTOM_A"))

    assert refused.value.details == {"path": "$.runbook"}


def test_an_unknown_runbook_is_refused_by_name() -> None:
    with pytest.raises(RunbookNotFound) as refused:
        expanded(INDEX, asked("CUSTOM_Z"), node())

    assert refused.value.details == {"runbook": "CUSTOM_Z"}


def test_steps_that_do_not_fit_the_list_are_told_with_the_runbook() -> None:
    verb, runbook = expanded(INDEX, asked("firmware"), node("CUSTOM_R7"))
    with pytest.raises(StepInvalid) as refused:
        plan(NodeProvisionSet(node="n1", target=ProvisionTarget.SERVICE, steps=verb.steps), CATALOGUE, 60.0)

    told = of_runbook(refused.value, runbook)

    assert isinstance(told, StepInvalid)
    assert told.details["path"] == "$.runbook"
    assert (told.details["runbook"], told.details["at"]) == ("firmware", "$.steps[0]")
    assert "It is no service step" in told.message
    assert of_runbook(refused.value, None) is refused.value
