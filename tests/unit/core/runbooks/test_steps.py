"""The steps of a runbook: refused whole with the place and the reason, or stored with their secrets apart."""

from typing import Any

import pytest

from castiron.actors.core.provision.catalogue import BUILT_IN, catalogue_of
from castiron.actors.core.runbooks.steps import checked, kinds_of, shown, wishes_of
from castiron.transport.errors import StepInvalid
from castiron.transport.replies import MASK
from castiron.transport.verbs import RunbookStep, StepWish
from castiron.transport.vocabulary import StepKind
from tests.unit.core.runbooks.books import CATALOGUE, HUSH, created, secret, step

WRONG: dict[str, tuple[list[RunbookStep], str, str]] = {
    "an unknown step": ([step("power_on"), step("bios.apply")], "$.steps[1]", "There is no such step"),
    "a wrong argument": ([step("wait", args={"seconds": "x"})], "$.steps[0].args.seconds", "seconds is a number"),
    "a missing argument": ([step("bmc.set_password")], "$.steps[0].args.password", "It needs password"),
    "a strange argument": ([step("power_on", args={"x": 1})], "$.steps[0].args.x", "It takes no arguments"),
    "after nobody": ([step("power_on"), step("power_off", after=["on"])], "$.steps[1].after", "no such step"),
    "a cycle": (
        [step("power_on", name="a", after=["b"]), step("power_off", name="b", after=["a"])],
        "$.steps",
        "wait for each other: a, b",
    ),
    "after itself": ([step("power_on", after=["power_on"])], "$.steps", "wait for each other"),
    "two of a name": ([step("power_on", name="a"), step("power_off", name="a")], "$.steps[0].name", "Another step"),
    "a name that a step has": (
        [step("power_on"), step("power_off", name="power_on")],
        "$.steps[1].name",
        "Another step is called power_on",
    ),
    "a name that a step has by itself": (
        [step("identify"), step("power_off", name="management.identify")],
        "$.steps[1].name",
        "Another step is called management.identify",
    ),
    "no common list": (
        [step("power_on"), step("raid.wipe"), step("raid.apply")],
        "$.steps[2]",
        "It is of deploy, and those before it are not",
    ),
    "an order for some": ([step("power_on", order=1), step("power_off")], "$.steps[1].order", "to all, or to none"),
    "an order and a priority": ([step("power_on", order=1, priority=3)], "$.steps[0].priority", "go by their order"),
    "a mask for a secret": ([secret(MASK)], "$.steps[0].args.password", "Give the secret itself"),
}


@pytest.mark.parametrize("why", WRONG)
def test_what_is_wrong_is_refused_with_its_place_and_the_reason(why: str) -> None:
    steps, path, said = WRONG[why]

    with pytest.raises(StepInvalid) as refused:
        checked(steps, CATALOGUE)

    assert refused.value.details["path"] == path
    assert said in refused.value.message


def test_a_place_is_that_of_the_list_as_it_was_given() -> None:
    steps = [step("power_on", order=9), step("wait", order=1, args={"seconds": -1.0}), step("power_off", order=2)]

    with pytest.raises(StepInvalid) as refused:
        checked(steps, CATALOGUE)

    assert refused.value.details["path"] == "$.steps[1].args.seconds"
    mask = [step("power_on", order=9), secret(MASK, order=1)]
    with pytest.raises(StepInvalid) as refused:
        checked(mask, CATALOGUE)
    assert refused.value.details["path"] == "$.steps[1].args.password"


def test_the_order_decides_and_the_place_where_it_is_equal() -> None:
    steps = [step("power_on", order=5), step("hold", order=2), step("power_off", order=2)]

    assert [one["step"] for one in checked(steps, CATALOGUE).steps] == ["hold", "power_off", "power_on"]


def test_only_what_was_said_is_stored() -> None:
    rich = step("power_on", name="on", after=[], abortable=False, priority=0, timeout_s=3.0, retries=2)

    stored = checked([rich, step("power_off")], CATALOGUE)

    terms: dict[str, Any] = {
        "name": "on",
        "after": [],
        "abortable": False,
        "priority": 0,
        "timeout_s": 3.0,
        "retries": 2,
    }
    assert stored.steps == ({"step": "power_on", **terms}, {"step": "power_off"})


def test_a_secret_stands_apart_and_is_shown_masked() -> None:
    record = created(step("power_on", order=7), secret(order=3))

    assert record.secrets == {"0": {"password": HUSH}}
    assert HUSH not in repr(record)
    assert HUSH not in str(record.steps)
    assert shown(record)[0]["args"] == {"user": "root", "password": MASK}
    assert wishes_of(record)[0].args == {"user": "root", "password": HUSH}


def test_what_is_asked_for_knows_no_order() -> None:
    record = created(step("power_on", order=1, retries=1, after=[]), step("wait", order=2, args={"seconds": 1.0}))

    assert wishes_of(record) == [
        StepWish(step="power_on", retries=1, after=[]),
        StepWish(step="wait", args={"seconds": 1.0}),
    ]


MASKED: dict[str, tuple[list[RunbookStep], Any]] = {
    "as it was": ([step("power_on"), secret(MASK)], {"1": {"password": HUSH}}),
    "moved": ([secret(MASK), step("power_on")], {"0": {"password": HUSH}}),
    "twice, one new": ([secret(MASK), secret("new")], {"0": {"password": HUSH}, "1": {"password": "new"}}),
    "gone": ([step("power_on")], {}),
}


@pytest.mark.parametrize("how", MASKED)
def test_a_mask_that_comes_back_leaves_the_secret_as_it_is(how: str) -> None:
    steps, secrets = MASKED[how]

    assert checked(steps, CATALOGUE, created(step("power_on"), secret())).secrets == secrets


@pytest.mark.parametrize(
    "steps", [[secret(MASK, name="renamed")], [secret(MASK), secret(MASK)]], ids=["renamed", "twice"]
)
def test_a_mask_for_a_step_that_had_no_secret_is_never_stored(steps: list[RunbookStep]) -> None:
    with pytest.raises(StepInvalid, match="Give the secret itself"):
        checked(steps, CATALOGUE, created(secret()))


def test_the_kinds_are_those_that_all_steps_have_in_common() -> None:
    assert kinds_of(created(step("raid.wipe"), step("power_on")), CATALOGUE) == [StepKind.CLEAN]
    assert kinds_of(created(step("power_on")), CATALOGUE) == list(StepKind)


def test_a_runbook_whose_plug_in_is_gone_is_of_no_kind_and_shows_no_secret() -> None:
    record = created(secret())

    assert kinds_of(record, catalogue_of(BUILT_IN)) == []
    assert shown(record)[0]["args"]["password"] == MASK
