"""An action that nobody ends at its time is ended by the watch, once, and whoever wakes up later is fenced off."""

from collections.abc import Callable, Mapping

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Call, Done, Driver, GetPower, Outcome, SetPower
from castiron.actors.nodes.node import NodeActor
from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.transport.vocabulary import PowerControl, PowerState
from tests.support.conductor_plugin import BuggyDriver, actor_of, mailbox_of
from tests.support.deadline import until

SETTINGS = Settings(sync_power_state_interval_s=0, power_state_change_timeout_s=0.5)


class Forgetful(BuggyDriver):
    """Takes calls of some nodes and never says what became of them."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.kept: dict[str, Callable[[Outcome], None]] = {}
        self.forgets: set[str] = set()

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> None:
        if call.target.node not in self.forgets:
            return super().submit(call, done)
        self.kept[call.target.node] = done
        self.calls.append(call)
        return None


def test_what_nobody_ends_at_its_time_is_ended_once_and_the_past_is_fenced_off() -> None:
    made: list[Forgetful] = []

    def make(clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
        del settings, shares
        made.append(Forgetful(clock))
        return {"fake": made[0]}

    with running_conductor(settings=SETTINGS, drivers=make) as conductor, conductor.client() as client:
        (driver,) = made
        uuid = client.nodes.create("n1", driver="fake").uuid
        driver.forgets.add(uuid)
        before = actor_of(uuid)
        request = client.nodes.power("n1", "power on")
        until(lambda: uuid in driver.kept)
        owner = mailbox_of(before)._owner
        assert isinstance(owner, NodeActor)
        for timer in owner._timers.values():  # nobody will tell the actor that its time is over
            timer.cancel()

        ended = client.requests.wait(request.id, timeout_s=20)

        assert ended.state == "failed"
        assert (ended.view.error or {})["code"] == "deadline.exceeded"
        assert (ended.view.error or {})["applied"] == "no"
        assert actor_of(uuid) is not before
        driver.forgets.clear()
        driver.kept[uuid](Done(value=PowerState.OFF))  # the predecessor's look at the machine is answered at last
        assert client.nodes.power("n1", "power on").wait(timeout_s=10).state == "succeeded"
        sent = [call.operation for call in driver.calls if not isinstance(call.operation, GetPower)]
        assert sent == [SetPower(PowerControl.ON)]
        types = [event.type for event in client.events(since=0, follow=False) if event.request == request.id]
        assert types == ["node.power_set.start", "node.power_set.error"]
        assert client.nodes.show("n1").target_power_state is None
