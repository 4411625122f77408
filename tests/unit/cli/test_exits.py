"""Every failure has an exit code, and the manual knows each."""

import pytest

from castiron.cli.output.exits import MEANINGS, Exit, exit_of, exit_of_all
from castiron.transport import errors
from castiron.transport.errors import WIRE_ERRORS, CastironError, from_wire

LOCAL = (
    errors.ConductorLost,
    errors.ReplyTimeout,
    errors.EndpointRefused,
    errors.EventsLost,
    errors.HandshakeFailed,
    errors.KeyUnusable,
)


@pytest.mark.parametrize("kind", [*WIRE_ERRORS.values(), *LOCAL], ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_that_is_not_success(kind: type[CastironError]) -> None:
    assert exit_of(kind("x")) not in {Exit.OK, Exit.SEVERAL}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConductorLost, 69),
        (errors.ReplyTimeout, 75),
        (errors.EndpointRefused, 64),
        (errors.HandshakeFailed, 77),
        (errors.KeyUnusable, 77),
        (errors.KeyRefused, 77),
        (errors.VerbForbidden, 77),
        (errors.NodeNotFound, 66),
        (errors.NodeExists, 73),
        (errors.NodeLocked, 75),
        (errors.RevisionStale, 65),
        (errors.ConductorOverloaded, 75),
        (errors.BMCCredentials, 77),
        (errors.BMCBusy, 75),
        (errors.BMCUnreachable, 74),
        (errors.PowerStateUnconfirmed, 74),
        (errors.InternalError, 70),
        (errors.VersionUnsupported, 76),
        (errors.ArgumentInvalid, 65),
    ],
)
def test_codes_never_change_their_meaning(kind: type[CastironError], code: int) -> None:
    assert exit_of(kind("x")) == code


@pytest.mark.parametrize(
    ("retry", "source", "code"),
    [("later", "bmc", 75), ("after", "caller", 75), ("never", "caller", 65), ("never", "bmc", 74), ("never", "?", 70)],
)
def test_an_error_of_a_newer_conductor_is_judged_by_what_it_says(retry: str, source: str, code: int) -> None:
    error = from_wire({"code": "new.error", "retry": retry, "source": source, "message": "x"})

    assert exit_of(error) == code


def test_failures_of_one_kind_keep_their_code_and_different_ones_share_another() -> None:
    lost, missing = errors.ConductorLost("x"), errors.NodeNotFound("x")

    assert exit_of_all([]) == Exit.OK
    assert exit_of_all([missing, errors.NodeNotFound("y")]) == Exit.NOT_FOUND
    assert exit_of_all([missing, lost]) == Exit.SEVERAL


def test_every_code_has_its_meaning() -> None:
    assert list(MEANINGS) == list(Exit)
