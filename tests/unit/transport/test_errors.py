"""One table for both directions."""

import pytest

from castiron.transport import errors
from castiron.transport.errors import WIRE_ERRORS, CastironError, ConductorOverloaded, NodeLocked, from_wire
from castiron.transport.vocabulary import Applied, Retry, Source

LOCAL = {
    errors.ConductorLost,
    errors.ReplyTimeout,
    errors.EndpointRefused,
    errors.EventsLost,
    errors.HandshakeFailed,
    errors.KeyUnusable,
}


def leaves(base: type[CastironError]) -> set[type[CastironError]]:
    below = {leaf for child in base.__subclasses__() for leaf in leaves(child)}
    return below or {base}


def test_every_leaf_has_a_code_of_its_own_or_stays_on_its_side() -> None:
    assert leaves(CastironError) == set(WIRE_ERRORS.values()) | LOCAL
    assert all("code" in vars(error) for error in WIRE_ERRORS.values())
    assert len({error.code for error in WIRE_ERRORS.values()}) == len(WIRE_ERRORS)


@pytest.mark.parametrize("error", WIRE_ERRORS.values(), ids=list(WIRE_ERRORS))
def test_every_error_survives_the_way(error: type[CastironError]) -> None:
    sent = error("Why.", details={"a": [1]}, retry_after_s=1.5, applied=Applied.UNKNOWN, error_id="e")

    got = from_wire(sent.to_wire())

    assert type(got) is error
    assert got.to_wire() == sent.to_wire()
    assert str(got) == got.message == "Why."


def test_what_was_not_said_is_not_on_the_wire() -> None:
    assert set(NodeLocked("Busy.").to_wire()) == {"code", "retry", "source", "message", "details"}


def test_a_code_of_a_newer_conductor_keeps_what_it_says() -> None:
    got = from_wire({"code": "node.on_fire", "retry": "after", "source": "bmc", "message": "Hot.", "retry_after_s": 9})

    assert type(got) is CastironError
    assert (got.code, got.retry, got.source, got.retry_after_s) == ("node.on_fire", Retry.AFTER, Source.BMC, 9.0)
    assert CastironError.code == "error"


def test_a_failure_without_fields_is_still_one() -> None:
    got = from_wire({})

    assert (got.code, got.message, got.details, got.applied) == ("error", "", {}, None)


def test_words_that_are_not_known_leave_the_class_to_speak() -> None:
    got = from_wire({"code": "conductor.overloaded", "retry": "perhaps", "source": 7, "applied": [], "error_id": 3})

    assert isinstance(got, ConductorOverloaded)
    assert (got.retry, got.source, got.applied, got.error_id) == (Retry.AFTER, Source.CONDUCTOR, None, None)


def test_whatever_must_be_retried_after_a_time_says_so_by_class() -> None:
    assert {error.code for error in WIRE_ERRORS.values() if error.retry is Retry.AFTER} == {
        "mailbox.full",
        "conductor.overloaded",
        "store.unavailable",
    }
