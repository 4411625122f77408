"""Runbooks in a whole conductor: what a request takes from one is its own, and a secret is shown to nobody."""

import logging
from pathlib import Path
from typing import Any

import pytest

from castiron.transport.clients.provisioning.runbooks import changed_runbook
from castiron.transport.errors import (
    ArgumentInvalid,
    CastironError,
    PowerOffDisabled,
    RequestReused,
    RunbookExists,
    RunbookNotFound,
    RunbookTraitMissing,
    StepInvalid,
)
from castiron.transport.replies import MASK
from castiron.transport.verbs import NodeProvisionSet
from castiron.transport.vocabulary import EventType, ProvisionTarget, Would
from tests.contracts.provisioning.conftest import Begin
from tests.support.deadline import until
from tests.support.moving import NOTHING, Story
from tests.support.step_plugin import notes

BOOK = "CUSTOM_BOOK"
HUSH = "correct-horse-battery-staple"


def a_note(trace: Path, word: str) -> dict[str, Any]:
    return {"interface": "test", "step": "set_password", "args": {"path": str(trace), "password": word}}


def use(story: Story, node: str = "n1", target: str = "deploy", **terms: Any) -> Any:
    return story.client.provision.set(node, target, runbook=terms.pop("runbook", BOOK), **terms)


def test_a_node_with_its_trait_works_through_a_runbook_and_everybody_hears_its_name(story: Story) -> None:
    made = story.client.runbooks.create(
        BOOK, [{"step": "wait", "args": {"seconds": 0}, "order": 2}, {"step": "power_off", "order": 1}]
    )
    story.node("n1", traits=[BOOK])

    ended = story.ended(use(story, runbook=made.uuid))

    assert [step.name for step in ended.view.steps] == ["power_off", "wait"]
    assert ended.view.runbook == BOOK
    assert ended.view.arguments["runbook"] == made.uuid
    told = [event for event in story.told() if event.request == ended.id]
    assert {event.payload.get("runbook") for event in told} == {BOOK}
    assert len(told) == 6
    assert story.told(types=["runbook.*"])[0].payload["steps"] == ["power_off", "wait"]


def test_a_runbook_is_there_once_it_is_answered_for_and_its_event_is_older(story: Story) -> None:
    for number in range(20):
        made = story.client.runbooks.create(f"CUSTOM_{number:02}", ["hold"])
        assert story.client.runbooks.show(made.name) == made

    listed = story.client.runbooks.list()

    assert [one.name for one in listed] == [f"CUSTOM_{number:02}" for number in range(20)]
    events = story.told(types=["runbook.create.end"])
    assert [event.payload["uuid"] for event in events] == [one.uuid for one in listed]
    with pytest.raises(RunbookExists):
        story.client.runbooks.create("CUSTOM_07", ["hold"])


def test_what_was_accepted_stays_as_it_was_whatever_becomes_of_the_runbook(story: Story, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    story.client.runbooks.create(BOOK, [a_note(trace, "old")])
    story.node("n1", traits=[BOOK])
    first = story.move("n1", "deploy", ["wait"])
    token = story.token("n1")
    queued = use(story, target="service", policy="after")
    story.client.runbooks.set(BOOK, steps=[a_note(trace, "new")])
    second = use(story, target="service", policy="after", again=True)
    story.client.runbooks.delete(BOOK)
    story.client.nodes.set("n1", traits=[])

    story.client.provision.step_done("n1", token)

    for request in (first, queued, second):
        story.ended(request)
    assert notes(trace) == ["dlo", "wen"]


def test_a_secret_of_a_runbook_reaches_its_step_and_nobody_else(
    begin: Begin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    story, trace = begin(), tmp_path / "trace"
    made = story.client.runbooks.create(BOOK, [a_note(trace, HUSH)])
    assert made.steps[0]["args"] == {"path": str(trace), "password": MASK}
    story.client.runbooks.set(BOOK, steps=made.steps, description="handed back as it was shown")
    story.node("n1", traits=[BOOK])

    ended = story.ended(use(story))

    assert notes(trace) == [HUSH[::-1]]
    assert ended.view.arguments["steps"] == MASK
    with pytest.raises(RunbookExists):
        story.client.runbooks.create(BOOK, [a_note(trace, HUSH)])
    told = [story.client.runbooks.show(BOOK), story.client.runbooks.list(), story.told(), caplog.text]
    told += [story.client.requests.list(), story.client.requests.show(ended.id).view]
    assert HUSH not in str(told)


def test_the_same_key_is_the_same_request_even_if_the_runbook_is_another_one_or_gone(story: Story) -> None:
    story.client.runbooks.create(BOOK, ["power_off"])
    story.client.runbooks.create("CUSTOM_OTHER", ["power_off"])
    story.node("n1", traits=[BOOK, "CUSTOM_OTHER"])
    first = story.ended(use(story, key="once-and-again"))

    story.client.runbooks.set(BOOK, steps=["power_on"])
    assert use(story, key="once-and-again").id == first.id
    story.client.runbooks.delete(BOOK)
    assert use(story, key="once-and-again").id == first.id
    story.client.nodes.set("n1", disable_power_off=True, traits=[])
    assert use(story, key="once-and-again").id == first.id
    with pytest.raises(RequestReused):
        use(story, runbook="CUSTOM_ELSE", key="once-and-again")
    with pytest.raises(RunbookNotFound):
        use(story, key="another-one")


def test_an_equal_wish_is_the_same_only_while_the_runbook_is(story: Story, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    story.client.runbooks.create(BOOK, [a_note(trace, "old")])
    story.node("n1", traits=[BOOK])
    story.move("n1", "deploy", ["wait"])
    token = story.token("n1")
    first = use(story, target="service", policy="after")

    equal = use(story, target="service", policy="after")
    story.client.runbooks.set(BOOK, steps=[a_note(trace, "new")])
    other = use(story, target="service", policy="after")

    story.client.provision.step_done("n1", token)
    for request in (first, equal, other):
        story.ended(request)
    assert other.id not in {first.id, equal.id}
    assert notes(trace) == ["dlo", "wen"] if equal.id == first.id else ["dlo", "dlo", "wen"]


def refused(story: Story, error: type[CastironError], **terms: Any) -> CastironError:
    """Ask for what is refused; see that nothing of it is stored and nothing told."""
    before = ([one.view for one in story.client.requests.list()], story.told())
    with pytest.raises(error) as refusal:
        use(story, **terms)
    assert ([one.view for one in story.client.requests.list()], story.told()) == before
    return refusal.value


def test_what_a_runbook_cannot_do_to_a_node_is_refused_before_anything_is_stored(story: Story) -> None:
    story.client.runbooks.create(BOOK, ["power_off", "inspect.read_guid"])
    story.node("n1")

    missing = refused(story, RunbookTraitMissing)
    assert missing.details == {"node": "n1", "runbook": BOOK, "wants": [BOOK], "traits": []}
    story.client.nodes.set("n1", traits=[BOOK])
    wrong = refused(story, StepInvalid)
    assert (wrong.details["path"], wrong.details["at"]) == ("$.runbook", "$.steps[1]")
    assert "It is no deploy step" in wrong.message
    assert refused(story, ArgumentInvalid, steps=NOTHING).details["path"] == "$.runbook"
    assert refused(story, RunbookNotFound, runbook="CUSTOM_Z").details == {"runbook": "CUSTOM_Z"}
    story.client.nodes.set("n1", disable_power_off=True)
    assert refused(story, PowerOffDisabled).details["path"] == "$.runbook"


def test_what_would_come_of_a_runbook_is_foretold(story: Story) -> None:
    steps: list[Any] = ["power_off", "inspect.read_guid"]
    before = story.told()
    assert "for lists of the kinds inspect, clean, service" in story.client.runbooks.check(BOOK, steps).text
    assert story.told() == before
    assert story.client.runbooks.list() == []

    story.client.runbooks.create(BOOK, steps)
    story.node("n1", "manageable", traits=[BOOK])
    assert story.client.runbooks.check(BOOK, steps).would is Would.NOTHING
    assert story.client.runbooks.check(BOOK, ["power_off"]).changed == ["steps"]
    verb = NodeProvisionSet(node="n1", target=ProvisionTarget.CLEAN, runbook=BOOK)
    assert story.client.foretell(verb).would is Would.START
    with pytest.raises(StepInvalid):
        story.client.runbooks.check(BOOK, ["power_of"])
    assert story.client.runbooks.show(BOOK).revision == 1


def test_a_bulk_takes_a_runbook_and_each_node_is_judged_by_its_own_traits(story: Story) -> None:
    story.client.runbooks.create(BOOK, NOTHING)
    story.node("n1", traits=[BOOK])
    story.node("n2")
    verb = NodeProvisionSet(node="", target=ProvisionTarget.DEPLOY, runbook=BOOK)

    bulk = story.client.nodes.bulk(verb, "n[1-2]")
    for _ in bulk:
        """To its end."""

    assert [one.name for one in story.client.runbooks.list(node="n1")] == [BOOK]
    assert story.client.runbooks.list(node="n2") == []
    codes = {name: (one.error or {}).get("code") for name, one in bulk.outcomes.items()}
    assert codes == {"n1": None, "n2": "runbook.trait_missing"}


def test_many_who_change_one_runbook_at_once_each_find_the_revision_that_they_read(story: Story) -> None:
    made = story.client.runbooks.create(BOOK, ["hold"])
    verbs = [changed_runbook(BOOK, made.revision, description=f"{number}") for number in range(30)]

    outcomes = [outcome for _, outcome in story.client.send_many(verbs)]

    errors = [one for one in outcomes if isinstance(one, CastironError)]
    assert {error.code for error in errors} == {"runbook.stale"}
    assert len(errors) == len(outcomes) - 1
    assert story.client.runbooks.show(BOOK).revision == 2
    until(lambda: len(story.told(types=["runbook.update.end"])) == 1)


def test_pages_neither_skip_nor_repeat_while_runbooks_come_and_go(story: Story) -> None:
    for number in range(9):
        story.client.runbooks.create(f"CUSTOM_{number}", ["hold"])
    first = story.client.runbooks.page(limit=4)
    story.client.runbooks.delete("CUSTOM_3")
    story.client.runbooks.create("CUSTOM_00", ["hold"])

    second = story.client.runbooks.page(limit=4, marker=first.next_marker)
    third = story.client.runbooks.page(limit=4, marker=second.next_marker)

    assert [one.name for one in first.runbooks] == [f"CUSTOM_{number}" for number in range(4)]
    assert [one.name for one in second.runbooks] == [f"CUSTOM_{number}" for number in range(4, 8)]
    assert ([one.name for one in third.runbooks], third.next_marker) == (["CUSTOM_8"], None)
    assert EventType.RUNBOOK_DELETE_END in [event.type for event in story.told()]
