"""What a conductor promises to clients who all come at once: one winner, honest waits, limits that are told."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from castiron.actors.conductor import Conductor
from castiron.actors.settings import Settings
from castiron.testing import BMCFarm, running_conductor
from castiron.testing.bmc import Faults
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import (
    CastironError,
    ConductorOverloaded,
    MailboxFull,
    NodeExists,
    NodeLocked,
    NodeNotFound,
)
from castiron.transport.replies import RequestView
from castiron.transport.verbs import NodePowerSet, RequestWait, Verb
from castiron.transport.vocabulary import PowerTarget, ReplyWish
from tests.support.conductor_plugin import Plugin, actor_of, mailbox_of
from tests.support.deadline import until
from tests.support.talking import Talking

Ask = Callable[[Client], object]

pytestmark = pytest.mark.castiron(nodes=8, enrolled=False, impatient=False)


def all_at_once(conductor: Conductor, verbs: Sequence[Ask]) -> list[str]:
    """Have a client for each verb ask at the same moment; return "ok" or the error's class for each, in order."""
    outcomes = [""] * len(verbs)
    ready = threading.Barrier(len(verbs))

    def ask(index: int) -> None:
        with conductor.client(timeout_s=20) as client:
            client.hello()
            ready.wait(20)
            try:
                verbs[index](client)
                outcomes[index] = "ok"
            except CastironError as error:
                outcomes[index] = type(error).__name__

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(verbs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def crowd(conductor: Conductor, count: int, ask: Ask) -> list[str]:
    """Have so many clients ask the same at the same moment."""
    return all_at_once(conductor, [ask] * count)


def test_of_many_who_create_the_same_name_at_once_one_wins(castiron_conductor: Conductor) -> None:
    outcomes = crowd(castiron_conductor, 12, lambda client: client.nodes.create("n1", driver="fake"))

    assert Counter(outcomes) == {"ok": 1, "NodeExists": 11}


def test_of_many_who_give_the_same_bmc_to_different_nodes_at_once_one_wins(
    castiron_conductor: Conductor, bmc_farm: BMCFarm
) -> None:
    info = bmc_farm[0].driver_info
    names = [f"n{number}" for number in range(12)]

    def create(name: str) -> Ask:
        return lambda client: client.nodes.create(name, driver_info=info)

    assert Counter(all_at_once(castiron_conductor, [create(name) for name in names])) == {
        "ok": 1,
        "BMCAddressTaken": 11,
    }


def test_of_many_who_rename_different_nodes_to_the_same_name_at_once_one_wins(castiron_conductor: Conductor) -> None:
    names = [f"n{number}" for number in range(8)]
    with castiron_conductor.client() as client:
        for name in names:
            client.nodes.create(name, driver="fake")

    def rename(name: str) -> Ask:
        return lambda client: client.nodes.set(name, name="wanted")

    outcomes = all_at_once(castiron_conductor, [rename(name) for name in names])

    assert Counter(outcomes) == {"ok": 1, "NodeExists": 7}
    with castiron_conductor.client() as client:
        left = {node.name for node in client.nodes.list()}
        winner = names[outcomes.index("ok")]
        assert left == {*names, "wanted"} - {winner}
        assert client.nodes.create(winner, driver="fake").name == winner


def test_a_name_that_somebody_was_told_is_free_is_free(castiron_conductor: Conductor) -> None:
    with castiron_conductor.client() as client:
        client.nodes.create("a", driver="fake")
        for number in range(200):
            client.nodes.set("a", name=f"old{number}")
            client.nodes.create("a", driver="fake")
            client.nodes.delete("a")
            client.nodes.create("a", driver="fake")


def test_of_many_who_change_the_same_revision_at_once_one_wins(castiron_conductor: Conductor) -> None:
    with castiron_conductor.client() as client:
        revision = client.nodes.create("n1", driver="fake").revision

    outcomes = crowd(castiron_conductor, 8, lambda client: client.nodes.set("n1", revision=revision, extra={"a": 1}))

    assert outcomes.count("ok") == 1
    assert set(outcomes) <= {"ok", "RevisionStale", "NodeLocked"}


def test_many_who_want_the_same_at_once_share_one_request_and_its_machine_gets_one_control(
    castiron_conductor: Conductor, bmc_farm: BMCFarm
) -> None:
    with castiron_conductor.client() as client:
        client.nodes.create("n1", driver_info=bmc_farm[0].driver_info)
    bmc_farm[0].set_faults(Faults(slow_s=0.1))

    outcomes = crowd(castiron_conductor, 8, lambda client: client.nodes.power("n1", "power on"))

    assert Counter(outcomes) == {"ok": 8}
    with castiron_conductor.client() as client:
        (request,) = client.requests.list("n1")
        assert request.wait(timeout_s=10).state == "succeeded"
        assert request.view.merged == 7
    assert len(bmc_farm[0].controls) == 1


def churn(client: Client, seed: int, names: Sequence[str]) -> list[str]:
    """Create, rename, delete and switch nodes at random; return what was answered that cannot be right."""
    rng = random.Random(seed)
    strange: list[str] = []
    for _ in range(60):
        name, verb = rng.choice(names), rng.choice(("create", "rename", "delete", "power"))
        try:
            match verb:
                case "create":
                    client.nodes.create(name, driver="fake")
                case "rename":
                    client.nodes.set(name, name=rng.choice(names))
                case "delete":
                    client.nodes.delete(name)
                case _:
                    client.nodes.power(name, "power on")
        except (NodeExists, NodeLocked, NodeNotFound):
            pass
        except CastironError as error:
            strange.append(f"{verb} {name}: {error!r}")
    return strange


def test_names_that_come_go_and_are_taken_by_others_all_at_once_never_leak(castiron_conductor: Conductor) -> None:
    names = ("a", "b", "c")
    strange: list[str] = []

    def run(seed: int) -> Ask:
        return lambda client: strange.extend(churn(client, seed, names))

    all_at_once(castiron_conductor, [run(seed) for seed in range(6)])

    assert strange == []
    with castiron_conductor.client() as client:
        for request in client.requests.list(limit=1000):
            request.wait(timeout_s=10)
        for node in client.nodes.list():
            client.nodes.delete(node.name)
        assert [client.nodes.create(name, driver="fake").name for name in names] == list(names)
        status = client.status()
    assert (status.actors["restarts"], status.actors["crashes"], status.transport["doubled"]) == (0, 0, 0)


def test_a_wait_that_is_over_says_how_the_request_stands_and_keeps_nothing(
    castiron_conductor: Conductor, bmc_farm: BMCFarm
) -> None:
    with castiron_conductor.client() as client:
        client.nodes.create("n1", driver_info=bmc_farm[0].driver_info)
        bmc_farm[0].set_faults(Faults(silent=True))
        request = client.nodes.power("n1", "power on")

        began = time.monotonic()
        view = ask(castiron_conductor, RequestWait(request=request.id, timeout_s=0.3))

        assert 0.3 <= time.monotonic() - began < 15.0, "the request's own end, a minute later, was not waited for"
        assert (view.state, view.step) == ("running", "reading the power state")
        assert client.status().requests.waiters == 0


def test_a_wait_ends_with_its_request_and_keeps_no_timer(castiron_conductor: Conductor) -> None:
    with castiron_conductor.client() as client:
        client.nodes.create("n1", driver="fake", driver_info={"fake_latency_s": "0.05"})
        for target in ["power on", "power off"] * 5:
            request = client.nodes.power("n1", target)
            view = ask(castiron_conductor, RequestWait(request=request.id, timeout_s=3600))
            assert view.state == "succeeded"

        assert client.status().requests.waiters == 0


@pytest.mark.castiron(nodes=2, enrolled=True, settings={"max_waiters": 2})
def test_no_more_clients_wait_than_may_and_the_next_is_told_when_to_come_again(
    castiron_conductor: Conductor, castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    bmc_farm[0].set_faults(Faults(silent=True))
    request = castiron_client.nodes.power("n1", "power on")
    wait = RequestWait(request=request.id, timeout_s=1.0)
    waiting = [threading.Thread(target=lambda: ask(castiron_conductor, wait)) for _ in range(2)]
    for thread in waiting:
        thread.start()
    until(lambda: castiron_client.status().requests.waiters == 2)

    with pytest.raises(ConductorOverloaded) as refused:
        ask(castiron_conductor, wait)
    power = NodePowerSet(node="n2", target=PowerTarget.ON, replies=ReplyWish.FINAL)
    with pytest.raises(ConductorOverloaded):
        ask(castiron_conductor, power)
    for thread in waiting:
        thread.join(5)

    assert refused.value.retry_after_s is not None
    assert (refused.value.details["what"], refused.value.details["limit"]) == ("waiters", 2)
    assert castiron_client.requests.list("n2") == [], "it was refused, and carried out"
    assert ask(castiron_conductor, power).state == "succeeded"
    assert castiron_client.status().requests.waiters == 0


def test_a_reply_at_the_end_is_the_requests_end_and_keeps_no_waiter(
    castiron_conductor: Conductor, bmc_farm: BMCFarm
) -> None:
    with castiron_conductor.client() as client:
        client.nodes.create("n1", driver_info=bmc_farm[0].driver_info)
        for wish in (ReplyWish.FINAL, ReplyWish.BOTH):
            for target in (PowerTarget.ON, PowerTarget.OFF):
                view = ask(castiron_conductor, NodePowerSet(node="n1", target=target, replies=wish))
                assert view.state == "succeeded"

        bmc_farm[0].set_faults(Faults(silent=True))
        client.nodes.power("n1", "power on")
        with pytest.raises(CastironError, match="busy"):
            ask(castiron_conductor, NodePowerSet(node="n1", target=PowerTarget.OFF, replies=ReplyWish.FINAL))
        assert client.status().requests.waiters == 0


def test_no_more_messages_wait_at_a_node_than_may_and_the_next_is_told_when_to_come_again() -> None:
    plugin, caught, freed = Plugin(), threading.Event(), threading.Event()
    settings = Settings(node_mailbox_limit=2)
    with running_conductor(settings=settings, drivers=plugin.make) as conductor, conductor.client() as client:
        uuid = client.nodes.create("n1", driver="fake").uuid

        def hang(_: object) -> None:
            caught.set()
            freed.wait(10)

        plugin.driver.bugs[uuid] = hang
        request = client.nodes.power("n1", "power on")
        assert caught.wait(5)
        asking = [threading.Thread(target=refused_power, args=(conductor,)) for _ in range(2)]
        for thread in asking:
            thread.start()
        until(lambda: mailbox_of(actor_of(uuid)).waiting() == 2)

        with Client(conductor.endpoint, patience_s=0) as impatient, pytest.raises(MailboxFull) as refused:
            impatient.nodes.power("n1", "power on")
        freed.set()
        for thread in asking:
            thread.join(5)

        assert (refused.value.details["limit"], refused.value.retry_after_s is not None) == (2, True)
        assert request.wait(timeout_s=5).state == "succeeded"


def refused_power(conductor: Conductor) -> None:
    with conductor.client(timeout_s=10) as client, pytest.raises(CastironError):
        client.nodes.power("n1", "power off")


def ask(conductor: Conductor, verb: Verb) -> RequestView:
    """Ask for what the client's face does not offer."""
    with Talking(conductor.endpoint) as conversation:
        return conversation.ask(verb, RequestView, 5.0)
