"""Wishes become lists of steps, or are refused whole, with the place and the reason."""

import re
from dataclasses import replace
from typing import Any

import pytest

from castiron.actors.core.machines.turn import Ask
from castiron.actors.core.provision.catalogue import BUILT_IN, Arg, Known, catalogue_of, machine_for
from castiron.actors.core.provision.planning import plan
from castiron.actors.core.provision.steps import Step
from castiron.actors.drivers.operations import Identify
from castiron.actors.settings import Settings
from castiron.transport.errors import StepInvalid
from castiron.transport.verbs import NodeProvisionSet, StepWish
from castiron.transport.vocabulary import Instant, ProvisionState, ProvisionTarget, StepKind
from tests.support.store_records import plain_node


def known(interface: str, step: str, **terms: Any) -> Known:
    return Known(interface=interface, step=step, description=f"Does {step}.", is_blocking=True, **terms)


MINE = (
    known("raid", "wipe", kinds=frozenset({StepKind.CLEAN}), priority=10),
    known("bios", "reset", kinds=frozenset({StepKind.CLEAN}), priority=10),
    known("power", "drain", kinds=frozenset({StepKind.CLEAN}), priority=10),
    known("deploy", "erase", kinds=frozenset({StepKind.CLEAN}), priority=99),
    known("raid", "apply", args={"level": Arg(description="RAID level", kind=int, required=True, least=0, most=6)}),
    known("bios", "apply"),
)
CATALOGUE = catalogue_of(BUILT_IN, MINE)


def planned(target: ProvisionTarget, steps: list[StepWish] | None = None) -> dict[str, list[str]]:
    made = plan(NodeProvisionSet(node="n1", target=target, steps=steps), CATALOGUE, 600.0)
    return {kind: [str(step["name"]) for step in several] for kind, several in made.items()}


def refusal(*steps: StepWish, target: ProvisionTarget = ProvisionTarget.SERVICE) -> StepInvalid:
    with pytest.raises(StepInvalid) as refused:
        planned(target, list(steps))
    return refused.value


def test_by_itself_the_highest_priority_goes_first_and_ties_go_by_interface() -> None:
    assert planned(ProvisionTarget.PROVIDE) == {"clean": ["deploy.erase", "power.drain", "bios.reset", "raid.wipe"]}


def test_what_is_given_back_is_switched_off_and_then_cleaned() -> None:
    made = planned(ProvisionTarget.UNDEPLOY)

    assert made["undeploy"] == ["power_off"]
    assert made["clean"][0] == "deploy.erase"


def test_chosen_steps_are_done_as_they_were_chosen() -> None:
    chosen = [StepWish(step="reboot"), StepWish(step="set_boot_device", args={"boot_device": "pxe"})]

    assert planned(ProvisionTarget.DEPLOY, chosen) == {"deploy": ["reboot", "management.set_boot_device"]}


def test_chosen_priorities_go_before_the_order() -> None:
    chosen = [StepWish(step="power_on", priority=1), StepWish(step="power_off", priority=5)]

    assert planned(ProvisionTarget.SERVICE, chosen) == {"service": ["power_off", "power_on"]}


def test_the_second_of_a_kind_has_a_name_of_its_own() -> None:
    assert planned(ProvisionTarget.SERVICE, [StepWish(step="reboot"), StepWish(step="reboot")]) == {
        "service": ["reboot", "reboot#2"]
    }


def test_cleaning_by_hand_needs_its_steps() -> None:
    with pytest.raises(StepInvalid) as refused:
        planned(ProvisionTarget.CLEAN)

    assert refused.value.details["path"] == "$.steps"


@pytest.mark.parametrize(
    ("step", "path"),
    [
        (StepWish(step="nothing"), "$.steps[1]"),
        (StepWish(step="apply"), "$.steps[1]"),
        (StepWish(step="wipe"), "$.steps[1]"),
        (StepWish(step="reboot", args={"hard": True}), "$.steps[1].args.hard"),
        (StepWish(step="reboot", args={"soft": 1}), "$.steps[1].args.soft"),
        (StepWish(step="set_boot_device"), "$.steps[1].args.boot_device"),
        (StepWish(step="set_boot_device", args={"boot_device": "tape"}), "$.steps[1].args.boot_device"),
        (StepWish(step="apply", interface="raid", args={"level": 7}), "$.steps[1].args.level"),
        (StepWish(step="apply", interface="raid", args={"level": True}), "$.steps[1].args.level"),
        (StepWish(step="wait", args={"seconds": float("nan")}), "$.steps[1].args.seconds"),
        (StepWish(step="wait", args={"seconds": -1.0}), "$.steps[1].args.seconds"),
        (StepWish(step="reboot", after=["power_of"]), "$.steps[1].after"),
    ],
)
def test_a_wrong_step_is_refused_where_it_is_wrong(step: StepWish, path: str) -> None:
    assert refusal(StepWish(step="power_on"), step).details["path"] == path


def test_steps_that_wait_for_each_other_are_refused() -> None:
    error = refusal(StepWish(step="power_on", after=["reboot"]), StepWish(step="reboot", after=["power_on"]))

    assert error.message.startswith("These steps wait for each other: power_on, reboot.")


def test_a_step_that_is_after_one_behind_it_that_waits_for_all_before_it_is_refused() -> None:
    error = refusal(StepWish(step="power_on", after=["reboot"]), StepWish(step="reboot"))

    assert error.details["path"] == "$.steps"
    assert error.message.endswith("One without `after` waits for all before it.")


def test_an_unknown_step_is_told_what_there_is() -> None:
    assert "There are: bios.apply, bios.reset, conductor.hold," in refusal(StepWish(step="nothing")).message


def test_an_after_that_names_nobody_is_told_where_it_was_written_not_where_it_is_done() -> None:
    lost = StepWish(step="power_on", after=["nobody"], priority=1)

    error = refusal(lost, StepWish(step="check_bmc", priority=9))

    assert error.details["path"] == "$.steps[0].after"


@pytest.mark.parametrize(
    ("step", "args", "reason"),
    [
        ("raid.apply", {"level": 1.5}, "level is a whole number: RAID level."),
        ("raid.apply", {"level": 7}, "level is from 0 to 6: RAID level."),
        ("conductor.reboot", {"soft": 1}, "soft is true or false: ask the operating system first."),
        ("bios.tune", {"volts": 0.5}, "volts is at least 1: how many."),
        ("bios.tune", {"amps": 99.0}, "amps is at most 2.5: how many."),
        ("bios.tune", {"modes": "x"}, "modes is a map: which."),
    ],
)
def test_what_an_argument_must_be_is_said_in_words(step: str, args: dict[str, Any], reason: str) -> None:
    tune = {
        "volts": Arg(description="how many", kind=float, least=1),
        "amps": Arg(description="how many", kind=float, most=2.5),
        "modes": Arg(description="which", kind=dict),
    }
    catalogue = catalogue_of(BUILT_IN, (*MINE, known("bios", "tune", args=tune)))
    interface, _, name = step.partition(".")
    wish = StepWish(interface=interface, step=name, args=args)

    with pytest.raises(StepInvalid, match=f"{re.escape(reason)}$"):
        plan(NodeProvisionSet(node="n1", target=ProvisionTarget.SERVICE, steps=[wish]), catalogue, 600.0)


@pytest.mark.parametrize(
    ("driver", "args", "asked"),
    [
        ("ipmi", {}, Identify(15)),
        ("fake", {}, Identify(15)),
        ("redfish", {}, Identify(None)),
        ("redfish", {"duration_s": 0}, Identify(0)),
        ("ipmi", {"duration_s": 200}, Identify(200)),
    ],
)
def test_a_lamp_is_lit_for_as_long_as_its_driver_can_unless_somebody_says(
    driver: str, args: dict[str, Any], asked: Identify
) -> None:
    step = Step(name="lamp", interface="management", step="identify", args=args)

    machine = machine_for(step, ProvisionState.CLEANING, replace(plain_node(), driver=driver), Settings())

    assert machine is not None
    assert machine.begin(Instant(1.0))[1] == Ask(asked)
