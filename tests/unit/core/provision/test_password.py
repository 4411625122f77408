"""A BMC's password is changed: whatever comes of it, and wherever its conductor ends, the one that works is on disk."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.core.effects import Refuse
from castiron.actors.core.fleet import FleetIndex, judge_set
from castiron.actors.core.machines.password import CANDIDATE, FORMER, MAX_SETS, REFUSED
from castiron.actors.core.messages import Amend, Amendment, Order
from castiron.actors.core.provision.catalogue import OWN
from castiron.actors.core.provision.planning import plan
from castiron.actors.drivers.base import DriverInfo
from castiron.transport.errors import NodeLocked, StepInvalid
from castiron.transport.verbs import NodeProvisionSet, NodeSet, StepWish
from castiron.transport.vocabulary import ProvisionState, ProvisionTarget, RequestID, RequestState
from tests.support.node_world import World
from tests.support.step_work import Luck
from tests.support.weather import FAIR, Fate, Gust, weather
from tests.unit.core.provision.test_lives import node

OLD = "0ld-password"
NEW = "n3w-password"
FATES = [fate for fate in Fate if fate is not Fate.NEVER]
LATER: list[StepWish] = [StepWish(interface="test", step="blind")]


def change(**args: Any) -> StepWish:
    return StepWish(interface="management", step="change_bmc_password", args=args)


def made(*luck: Luck, password: str = OLD, **record: Any) -> World:
    info = {"ipmi_address": "127.0.0.1", "ipmi_username": "admin", "ipmi_password": OLD}
    world = node(ProvisionState.ACTIVE, *luck, driver_info=info, **record)
    world.machine.password = password
    return world


def serve(world: World, *steps: StepWish) -> RequestID:
    return world.submit(NodeProvisionSet(node="n1", target=ProvisionTarget.SERVICE, steps=list(steps)))


def stored(world: World) -> str:
    return str(world.record.driver_info["ipmi_password"])


def check_known(world: World) -> None:
    """What lets in is on disk, at every moment."""
    known = (stored(world), *world.record.other_passwords.values())
    assert world.machine.password in [each[: world.machine.kept_bytes] for each in known if isinstance(each, str)]


def moments(world: World) -> Iterator[int]:
    """Let one thing happen after the other until nothing does, and count."""
    for number in range(200):
        check_known(world)
        yield number
        if world.granted:
            world.grant()
        elif not (world.calls or world.timers) or not world.advance():
            return


def ended(world: World, request: RequestID) -> tuple[RequestState, str]:
    """Let it come to its end; return how, and what is stored then."""
    for _ in moments(world):
        if world.state.first is None:
            break
    check_known(world)
    return world.requests[request].state, stored(world)


def told(world: World) -> str:
    """Return all that is told of the node and its requests, and all that is on disk of them in the clear."""
    requests = [(one, one.progress, one.result, one.error, one.trace) for one in world.requests.values()]
    return f"{requests} {world.events} {world.record!r} {world.state!r}"


@pytest.mark.parametrize("args", [{"password": NEW}, {"generate": True}])
def test_the_new_password_is_the_bmcs_and_the_stored_one(args: dict[str, Any]) -> None:
    world = made()

    state, password = ended(world, serve(world, change(**args)))

    assert (state, password) == (RequestState.SUCCEEDED, world.machine.password)
    assert password.startswith("drawn") if "generate" in args else password == NEW
    assert password != OLD
    assert world.record.other_passwords == {}
    assert world.machine.refused_logins == 0


def test_nothing_that_is_told_or_kept_in_the_clear_has_a_password() -> None:
    world = made(Luck.FAILS)

    for number in moments(world):
        if number == 0:
            serve(world, change(password=NEW), *LATER)
        assert NEW not in told(world)
        assert OLD not in told(world)
    assert world.record.provision_state == ProvisionState.SERVICE_FAILED


@pytest.mark.parametrize("args", [{"password": NEW}, {"generate": True}])
@pytest.mark.parametrize("later", [[], LATER])
@pytest.mark.parametrize("crash_at", range(14))
def test_a_successor_ends_with_the_password_that_works(
    args: dict[str, Any], later: list[StepWish], crash_at: int
) -> None:
    world = made(*([Luck.FAILS] if later else []))
    request = serve(world, change(**args), *later)
    for number in moments(world):
        if number == crash_at:
            world.crash()
            break

    state, password = ended(world, request)

    assert password == world.machine.password
    assert world.record.other_passwords == {}
    assert (state, password == OLD) == ((RequestState.FAILED, True) if later else (RequestState.SUCCEEDED, False))
    assert world.machine.refused_logins <= 1


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("place", range(4))
def test_whatever_comes_of_an_exchange_the_password_that_works_is_kept(fate: Fate, place: int) -> None:
    world = made()
    world.gusts = weather([FAIR] * place + [Gust(fate)])

    state, password = ended(world, serve(world, change(password=NEW)))

    if REFUSED not in world.record.other_passwords:
        assert password == world.machine.password
    assert state in (RequestState.SUCCEEDED, RequestState.FAILED)
    assert (password == NEW) is (state is RequestState.SUCCEEDED)


@given(
    st.lists(st.sampled_from(FATES), max_size=8),
    st.lists(st.integers(0, 25), max_size=3),
    st.booleans(),
    st.booleans(),
)
def test_under_any_weather_and_any_crashes_what_works_is_on_disk(
    fates: list[Fate], crashes: list[int], is_drawn: bool, is_reverted: bool
) -> None:
    world = made(*([Luck.FAILS] * 3 if is_reverted else []))
    world.gusts = weather([Gust(fate) for fate in fates])
    request = serve(world, change(**({"generate": True} if is_drawn else {"password": NEW})), *LATER)

    for number in moments(world):
        if number in crashes:
            world.crash()
    world.drain()

    check_known(world)
    assert world.requests[request].state in (RequestState.SUCCEEDED, RequestState.FAILED)
    if not world.record.other_passwords:
        assert stored(world) == world.machine.password
    assert FORMER not in world.record.other_passwords


def test_a_later_failure_takes_it_back() -> None:
    world = made(Luck.FAILS)

    state, password = ended(world, serve(world, change(password=NEW), *LATER))

    assert (state, password, world.machine.password) == (RequestState.FAILED, OLD, OLD)
    assert world.record.other_passwords == {}


def test_an_abort_takes_it_back() -> None:
    world = made(Luck.HANGS)
    request = serve(world, change(password=NEW), *LATER)
    for _ in moments(world):
        if stored(world) == NEW:
            world.direct(Order.ABORT)
            break

    assert ended(world, request) == (RequestState.FAILED, OLD)
    assert world.machine.password == OLD


def test_where_neither_lets_in_both_are_kept_and_it_says_so() -> None:
    world = made()
    request = serve(world, change(password=NEW))
    for _ in moments(world):
        if CANDIDATE in world.record.other_passwords:
            world.machine.password = "of a third party"
            break
    while world.state.first is not None:
        world.advance()

    error = world.requests[request].error or {}
    assert (error["code"], "Both are kept" in error["message"]) == ("step.failed", True)
    assert stored(world) == OLD
    assert world.record.other_passwords == {CANDIDATE: NEW, REFUSED: True}
    assert world.machine.refused_logins <= 3, "it is not taken back by trying both once more"


def test_it_can_be_asked_for_again_where_two_were_kept() -> None:
    world = made(other_passwords={CANDIDATE: "earlier", REFUSED: True}, password="earlier")

    assert ended(world, serve(world, change(password=NEW))) == (RequestState.SUCCEEDED, NEW)
    assert (world.machine.password, world.record.other_passwords) == (NEW, {})


def test_whoever_sets_the_password_settles_which_one_holds() -> None:
    world = made(other_passwords={CANDIDATE: "earlier", REFUSED: True})
    for info, kept in (({"ipmi_port": 624}, 2), ({"ipmi_password": "told"}, 0)):
        whole = DriverInfo(
            info={**world.record.driver_info, **info}, secret_keys=world.record.secret_keys, bmc_address=None
        )
        world.tell(Amend(amendment=Amendment(driver_info=whole), requester="ipc", reply_to="set"))
        assert len(world.record.other_passwords) == kept


class _AsGiven:
    """Takes any driver_info."""

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        return DriverInfo(info=driver_info, secret_keys=frozenset({"ipmi_password"}), bmc_address=None)


def test_a_change_made_of_the_former_password_does_not_bring_it_back() -> None:
    world = made()
    verb = NodeSet(node="n1", driver_info={"ipmi_port": 624})
    amendment, _ = judge_set(FleetIndex(), verb, world.record, {"ipmi": _AsGiven()})
    ended(world, serve(world, change(password=NEW)))

    world.tell(Amend(amendment=amendment, requester="ipc", reply_to="set"))
    (refusal,) = world.replies["set"]
    anew, _ = judge_set(FleetIndex(), verb, world.record, {"ipmi": _AsGiven()})
    world.tell(Amend(amendment=anew, requester="ipc", reply_to="again"))

    assert isinstance(refusal, Refuse)
    assert isinstance(refusal.error, NodeLocked)
    assert OLD not in str(refusal.error.to_wire())
    assert (stored(world), world.record.driver_info["ipmi_port"]) == (NEW, 624)


def test_a_bmc_that_keeps_a_part_of_it_has_it_taken_back() -> None:
    long = "20 bytes, none spare"
    world = made()
    world.machine.kept_bytes = 16

    state, password = ended(world, serve(world, change(password=long)))

    assert (state, password, world.machine.password) == (RequestState.FAILED, OLD, OLD)
    assert world.record.other_passwords == {}


def test_a_bmc_that_acknowledges_and_does_nothing_is_not_believed() -> None:
    world = made()
    world.machine.is_deaf = True

    request = serve(world, change(password=NEW))

    assert ended(world, request) == (RequestState.FAILED, OLD)
    assert "does not let in with it" in (world.requests[request].error or {})["message"]
    assert (world.record.other_passwords, world.machine.refused_logins) == ({}, 1)


def test_a_bmc_that_never_says_so_is_told_only_so_often() -> None:
    world = made()
    lost = [Gust(Fate.LOST), FAIR, FAIR]
    world.gusts = weather(lost * 10)

    state, password = ended(world, serve(world, change(password=NEW)))

    assert (state, password) == (RequestState.FAILED, OLD)
    assert world.machine.refused_logins == MAX_SETS


@pytest.mark.parametrize(
    ("args", "path"),
    [
        ({}, "$.steps[0].args"),
        ({"password": NEW, "generate": True}, "$.steps[0].args"),
        ({"generate": False}, "$.steps[0].args"),
        ({"password": ""}, "$.steps[0].args"),
        ({"password": "x" * 21}, "$.steps[0].args.password"),
        ({"password": "é" * 11}, "$.steps[0].args.password"),
        ({"password": "a\nb"}, "$.steps[0].args.password"),
        ({"password": "a\0b"}, "$.steps[0].args.password"),
    ],
)
def test_what_no_bmc_can_keep_is_refused_and_not_repeated(args: dict[str, Any], path: str) -> None:
    verb = NodeProvisionSet(node="n1", target=ProvisionTarget.SERVICE, steps=[change(**args)])

    with pytest.raises(StepInvalid) as refusal:
        plan(verb, OWN, 60.0)

    assert refusal.value.details["path"] == path
    password = args.get("password")
    assert not password or password not in str(refusal.value.to_wire())


def test_a_list_has_it_once() -> None:
    verb = NodeProvisionSet(
        node="n1", target=ProvisionTarget.SERVICE, steps=[change(password=NEW), change(generate=True)]
    )

    with pytest.raises(StepInvalid, match="once"):
        plan(verb, OWN, 60.0)


def test_a_driver_that_knows_of_no_password_says_so() -> None:
    world = made(driver="other")

    state, password = ended(world, serve(world, change(password=NEW)))

    assert (state, password, world.machine.password) == (RequestState.FAILED, OLD, OLD)
    assert not any(isinstance(reply, Refuse) for replies in world.replies.values() for reply in replies)
