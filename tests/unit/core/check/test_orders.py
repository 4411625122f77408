"""A check that was ordered ahead comes to what a check comes to whose timer was decided about first."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from castiron.actors.core.effects import CallDriver, CancelTimer, Checked, Decision, Effect, SetTimer
from castiron.actors.core.messages import Began, Heard, SetMaintenance, TimerDue
from castiron.actors.core.node import decide
from castiron.actors.core.state import NodeState, Ticket
from castiron.actors.drivers.base import Done, Outcome
from castiron.actors.settings import Settings
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import CheckResult, Instant, PowerState, RequestID
from tests.support.node_world import World
from tests.support.weather import weather
from tests.unit.core.check.checked_node import CHECKED, FORCING, OFF, POWER_OFF, SILENT, begun

LATE_S = 0.25
NO_TICKET = Ticket(0)


def ordered(node: World) -> tuple[Ticket, Instant]:
    """Return the check's timer, which must be one that the driver may be asked by."""
    (timer,) = [effect for effect in node.effects if isinstance(effect, SetTimer)]
    assert timer.look_every_s == CHECKED.sync_power_state_interval_s
    return timer.ticket, timer.at


def plain(effect: Effect) -> Effect:
    return structs.replace(effect, ticket=NO_TICKET) if isinstance(effect, (SetTimer, CancelTimer)) else effect


def shown(decision: Decision) -> tuple[object, ...]:
    """A decision without the numbers of its tickets: an order needs one less."""
    check = structs.replace(decision.state.check, timer=None, call=None)
    effects = [plain(effect) for effect in decision.effects if not isinstance(effect, CallDriver)]
    return replace(decision.state, check=check, tickets=0), effects, decision.change


def both_ways(state: NodeState, due: TimerDue, outcome: Outcome, settings: Settings) -> tuple[Decision, Decision]:
    """Decide about a check and its answer, in two turns and in one."""
    began_at, heard_at = Instant(due.at + LATE_S), Instant(due.at + LATE_S + 0.01)
    first = decide(state, due, began_at, settings)
    call = first.state.check.call
    assert call is not None
    heard = Heard(ticket=call, outcome=outcome, spare_id=RequestID("spare"))
    second = decide(first.state, heard, heard_at, settings)
    began = Began(ticket=due.ticket, at=due.at, began_at=began_at)
    ahead = structs.replace(heard, ticket=due.ticket, began=began)
    return second, decide(state, ahead, heard_at, settings)


@given(
    weathers=st.lists(st.tuples(st.booleans(), st.sampled_from(PowerState)), min_size=1, max_size=6),
    settings=st.sampled_from([CHECKED, FORCING]),
)
def test_one_message_comes_to_what_two_come_to(weathers: list[tuple[bool, PowerState]], settings: Settings) -> None:
    node = begun(settings)
    for is_silent, power in weathers:
        node.gusts = weather([], afterwards=SILENT) if is_silent else weather([])
        node.machine.power = power
        state = node.state
        (ticket, at) = min(node.timers.items(), key=lambda timer: timer[1])
        if state.check.timer != ticket:
            return  # a request drives it back
        node.advance()
        if not node.calls:
            return
        outcome = next(iter(node.calls.values()))[1]
        one, other = both_ways(state, TimerDue(ticket=ticket, at=at), outcome, settings)

        assert shown(one) == shown(other)
        node.advance()


def test_an_order_is_given_for_a_node_that_is_left_alone_and_checked_as_usual() -> None:
    busy, silent = begun(), begun()
    busy.submit(POWER_OFF)
    for _ in range(3):
        silent.gusts = weather([], afterwards=SILENT)
        silent.advance()
        silent.advance()

    ordered(begun())
    assert [one.look_every_s for one in silent.effects if isinstance(one, SetTimer)] == [0.0]
    busy.advance()
    assert [one.look_every_s for one in busy.effects if isinstance(one, SetTimer)] == [0.0]


def test_what_has_begun_is_the_check_that_is_under_way() -> None:
    node = begun()
    ticket, at = ordered(node)
    node.now = Instant(at + 1.0)
    del node.timers[ticket]

    node.tell(Began(ticket=ticket, at=at, began_at=Instant(at + 0.5)))

    check = node.state.check
    assert (check.call, check.timer, check.started_at, check.late_s) == (ticket, None, at + 0.5, 0.5)
    assert node.effects == []


def test_what_began_while_a_request_was_about_to_look_counts_for_nothing() -> None:
    node = begun()
    ticket, at = ordered(node)
    node.submit(POWER_OFF)
    del node.timers[ticket]

    node.tell(Began(ticket=ticket, at=at, began_at=at))

    assert [effect.result for effect in node.effects if isinstance(effect, Checked)] == [CheckResult.SKIPPED]
    before = node.state
    decision = node.tell(Heard(ticket=ticket, outcome=Done(value=OFF), began=Began(ticket=ticket, at=at, began_at=at)))
    assert (decision.state, decision.effects, decision.change) == (before, (), None)


def test_an_order_that_was_replaced_is_of_the_past() -> None:
    node = begun()
    ticket, at = ordered(node)
    node.tell(SetMaintenance(maintenance=True, requester="ada", reply_to="a"))
    before = node.state
    assert before.check.timer is None

    decision = node.tell(Heard(ticket=ticket, outcome=Done(value=OFF), began=Began(ticket=ticket, at=at, began_at=at)))

    assert (decision.state, decision.effects, decision.change) == (before, (), None)
