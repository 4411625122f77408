"""Which runbooks there may be, and what becomes of one that is changed."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import UNSET

from castiron.actors.core.runbooks.index import RunbookIndex
from castiron.actors.core.runbooks.judging import changed_fields, judge_create, judge_delete, judge_set
from castiron.actors.core.runbooks.telling import runbook_view, told_changes
from castiron.store.records import RunbookRecord
from castiron.transport.errors import (
    ArgumentInvalid,
    RunbookExists,
    RunbookNotFound,
    RunbooksFull,
    RunbookStale,
    StepInvalid,
)
from castiron.transport.replies import MASK
from castiron.transport.verbs import MAX_RUNBOOKS, RunbookCreate, RunbookDelete, RunbookSet
from castiron.transport.vocabulary import Instant, Revision, RunbookUUID
from tests.unit.core.runbooks.books import CATALOGUE, EMPTY, HUSH, created, given, secret, step

A = created(step("power_on"), secret(), description="first", extra={"owner": "ops", "tier": 1})
B = created(step("hold"), name="CUSTOM_B", number=2)
BOTH = RunbookIndex.of((A, B))


def changed(**changes: Any) -> tuple[RunbookRecord, RunbookRecord]:
    return judge_set(BOTH, RunbookSet(runbook="CUSTOM_A", **changes), given(now=2000.0))


def test_a_runbook_is_found_by_name_and_by_uuid() -> None:
    assert BOTH.find("CUSTOM_A") == BOTH.find(A.uuid) == A
    assert BOTH.find("CUSTOM_C") is None


def test_a_name_is_had_by_one() -> None:
    with pytest.raises(RunbookExists) as refused:
        judge_create(BOTH, RunbookCreate(name="CUSTOM_A", steps=[step("hold")]), given(3))

    assert refused.value.details == {"name": "CUSTOM_A", "uuid": A.uuid}
    with pytest.raises(RunbookExists):
        changed(name="CUSTOM_B")


@pytest.mark.parametrize("name", ["firmware", "custom_a", "CUSTOM-A", "CUSTOM_a", "CUSTOM_"])
def test_a_name_that_no_node_can_have_as_a_trait_needs_traits(name: str) -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        created(step("hold"), name=name)

    assert refused.value.details == {"path": "$.name"}
    assert created(step("hold"), name=name, traits=["CUSTOM_B", "CUSTOM_A", "CUSTOM_A"]).traits == (
        "CUSTOM_A",
        "CUSTOM_B",
    )


def test_a_runbook_cannot_lose_the_traits_that_its_name_stands_in_for() -> None:
    record = created(step("hold"), name="firmware", traits=["CUSTOM_A"])

    with pytest.raises(ArgumentInvalid, match="cannot be one"):
        judge_set(RunbookIndex.of([record]), RunbookSet(runbook="firmware", traits=[]), given())


def test_a_name_that_looks_like_a_uuid_is_refused() -> None:
    with pytest.raises(ArgumentInvalid, match="looks like a uuid"):
        created(step("hold"), name=A.uuid.upper(), traits=["CUSTOM_A"])


def test_there_are_as_many_as_there_may_be_and_no_more() -> None:
    many = [replace(A, uuid=RunbookUUID(str(number)), name=f"CUSTOM_{number}") for number in range(MAX_RUNBOOKS)]

    with pytest.raises(RunbooksFull) as refused:
        judge_create(RunbookIndex.of(many), RunbookCreate(name="CUSTOM_A", steps=[step("hold")]), given())

    assert refused.value.details == {"count": MAX_RUNBOOKS, "limit": MAX_RUNBOOKS}
    assert judge_create(RunbookIndex.of(many[1:]), RunbookCreate(name="CUSTOM_A", steps=[step("hold")]), given())


def test_many_small_changes_do_not_make_it_larger_than_one_large_one_could() -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        changed(extra={"log": "x" * 70_000})

    assert refused.value.details == {"path": "$.extra"}
    with pytest.raises(ArgumentInvalid) as refused:
        changed(steps=[secret("x" * 70_000), step("hold")], extra={"log": "x" * 65_000})
    assert refused.value.details == {"path": "$.steps"}


def test_a_change_is_the_next_revision_and_leaves_the_rest() -> None:
    before, after = changed(name="CUSTOM_C", extra={"tier": None, "site": "b"}, description=None)

    assert before == A
    assert after == replace(
        A,
        name="CUSTOM_C",
        description=None,
        extra={"owner": "ops", "site": "b"},
        revision=Revision(2),
        updated_at=Instant(2000.0),
    )


def test_what_was_shown_and_is_handed_back_changes_nothing() -> None:
    view = runbook_view(A, CATALOGUE)
    steps = [step(one.pop("step"), **one) if "interface" not in one else secret(MASK) for one in view.steps]

    assert changed(steps=steps, traits=view.traits, extra=view.extra, name=view.name) == (A, A)
    assert changed(name=UNSET) == (A, A)


def test_a_secret_that_changes_is_a_change_of_the_steps_and_is_not_told() -> None:
    before, after = changed(steps=[step("power_on"), secret("another")])

    assert changed_fields(before, after) == ["steps"]
    told = told_changes(before, after)
    assert told["changes"] == {"steps": {"from": "power_on, bmc.set_password", "to": "power_on, bmc.set_password"}}
    assert HUSH not in str(told)
    assert "another" not in str(told)


def test_a_wrong_step_leaves_it_as_it_is() -> None:
    with pytest.raises(StepInvalid):
        changed(steps=[step("nonsense")])


@pytest.mark.parametrize("verb", [RunbookSet, RunbookDelete])
def test_a_revision_that_is_gone_is_refused(verb: type[RunbookSet] | type[RunbookDelete]) -> None:
    asked = verb(runbook="CUSTOM_A", revision=7)

    with pytest.raises(RunbookStale) as refused:
        judge_set(BOTH, asked, given()) if isinstance(asked, RunbookSet) else judge_delete(BOTH, asked)

    assert refused.value.details == {"runbook": "CUSTOM_A", "have": 1, "want": 7}


def test_what_is_not_there_is_neither_changed_nor_forgotten() -> None:
    with pytest.raises(RunbookNotFound):
        judge_set(EMPTY, RunbookSet(runbook="CUSTOM_A"), given())
    with pytest.raises(RunbookNotFound):
        judge_delete(EMPTY, RunbookDelete(runbook="CUSTOM_A"))
    assert judge_delete(BOTH, RunbookDelete(runbook=B.uuid, revision=1)) == B
