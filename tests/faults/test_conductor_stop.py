"""A conductor ends in order, whatever is going on; and gives up, saying why, when a part of it has died."""

import ctypes
import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pykka
import pytest

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.conductor import Conductor
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.actors.settings import Settings
from castiron.testing import BMCFarm, running_conductor
from castiron.testing.bmc import Faults
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import CastironError, ConductorDraining, ConductorLost, EndpointRefused
from castiron.transport.verbs import NodeCreate
from tests.support.conductor_plugin import Plugin
from tests.support.conductor_process import Audit, ConductorProcess, opened
from tests.support.deadline import until

STOP_S = 10.0
SILENT = Faults(silent=True)


def open_descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def other_threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("castiron"))


def work(conductor: Conductor, farm: BMCFarm) -> list[str]:
    """Have ten actions under way, half at silent BMCs, half at slow ones; return their requests' ids."""
    names = [f"n{number}" for number in range(10)]
    with conductor.client(timeout_s=10) as client:
        known = {node.name for node in client.nodes.list()}
        for name, bmc in zip(names, farm, strict=True):
            bmc.set_faults(Faults())
            if name not in known:
                client.nodes.create(name, driver_info=bmc.driver_info)
        for name in names:
            for request in client.requests.list(name, limit=1):
                request.wait(timeout_s=10)
        for request in [client.nodes.power(name, "power on") for name in names]:
            request.wait(timeout_s=10)  # all are logged in now
        for number, bmc in enumerate(farm):
            bmc.set_faults(SILENT if number < 5 else Faults(slow_s=0.3))
        return [client.nodes.power(name, "rebooting").id for name in names]


def test_after_every_stop_no_thread_no_descriptor_and_no_actor_is_left(tmp_path: Path) -> None:
    with BMCFarm(bmcs=10) as farm:
        settings = Settings(unknown_outcome_settle_s=0.3, power_poll_max_s=0.2)
        conductor = Conductor(store=tmp_path / "c.db", endpoint=f"ipc://{tmp_path}/c.ipc", settings=settings)
        counts: list[int] = []
        others = pykka.ActorRegistry.get_all()
        for _ in range(3):
            conductor.start()
            work(conductor, farm)
            began = time.monotonic()
            conductor.stop()
            assert time.monotonic() - began < STOP_S
            assert other_threads() == []
            assert pykka.ActorRegistry.get_all() == others
            counts.append(open_descriptors())

        assert counts[1] == counts[2]  # the first large answer of a process has pyzmq start a collector of its own
        assert [bmc.session_count for bmc in farm][5:] == [0] * 5, "not logged out"
    with opened(tmp_path / "c.db") as store:
        Audit(store).check(all_ended=False)


def test_clients_that_wait_are_told_that_the_conductor_stops(tmp_path: Path) -> None:
    with BMCFarm(bmcs=10) as farm, running_conductor(store=tmp_path / "c.db") as conductor:
        ids = work(conductor, farm)
        ends: list[object] = []

        def wait(request_id: str) -> None:
            with conductor.client() as client:
                try:
                    ends.append(client.requests.wait(request_id, 1.0))
                except CastironError as error:
                    ends.append(error)

        waiting = [threading.Thread(target=wait, args=(request_id,)) for request_id in ids[:5]]
        for thread in waiting:
            thread.start()
        with conductor.client() as client:
            until(lambda: client.status().requests.waiters == 5)
        conductor.stop()
        for thread in waiting:
            thread.join(10)

    assert len(ends) == 5
    assert all(isinstance(end, (ConductorDraining, ConductorLost)) for end in ends), ends


def test_sigterm_stops_the_process_with_everything_under_way(tmp_path: Path) -> None:
    with BMCFarm(bmcs=3) as farm:
        with ConductorProcess(tmp_path / "c.db", f"ipc://{tmp_path}/c.ipc") as conductor:
            with conductor.client() as client:
                for number in range(3):
                    client.nodes.create(f"n{number}", driver_info=farm[number].driver_info)
                    client.nodes.power(f"n{number}", "power off").wait(timeout_s=5)
                farm[0].set_faults(SILENT)
                farm[1].set_faults(Faults(slow_s=1.0))
                for number in range(3):
                    client.nodes.power(f"n{number}", "power on")
            assert conductor.stop() < STOP_S
        assert farm[2].session_count == 0
    with opened(tmp_path / "c.db") as store:
        Audit(store).check(all_ended=False)


def test_an_actor_that_hangs_does_not_keep_the_conductor_from_stopping() -> None:
    plugin, snare, freed = Plugin(), threading.Event(), threading.Event()
    settings = Settings(graceful_shutdown_timeout_s=2.0)
    with running_conductor(drivers=plugin.make, settings=settings) as conductor, conductor.client() as client:
        uuid = client.nodes.create("n1", driver="fake").uuid

        def hang(_: object) -> None:
            snare.set()
            freed.wait(20)

        plugin.driver.bugs[uuid] = hang
        client.nodes.power("n1", "power on")
        assert snare.wait(5)
        began = time.monotonic()
        conductor.stop()
        lasted_s = time.monotonic() - began
    freed.set()

    assert lasted_s < settings.graceful_shutdown_timeout_s + 1.0
    until(lambda: other_threads() == [])


@pytest.mark.parametrize("timeout_s", [0.5, 600.0])
def test_how_long_a_stop_may_take_follows_the_setting(timeout_s: float) -> None:
    settings = Settings(graceful_shutdown_timeout_s=timeout_s)
    with running_conductor(settings=settings) as conductor:
        with conductor.client() as client:
            drivers = len(client.status().drivers)
        assert drivers
        assert conductor.stop_most_s >= timeout_s * (1 + drivers / 4)
        began, most_s = time.monotonic(), conductor.stop_most_s
        conductor.stop()
        assert time.monotonic() - began < most_s


def test_a_conductor_starts_again_after_a_stop_and_refuses_to_start_twice(tmp_path: Path) -> None:
    conductor = Conductor(store=tmp_path / "c.db", endpoint=f"ipc://{tmp_path}/c.ipc")
    with conductor, conductor.client() as client:
        first = client.hello()
        with pytest.raises(RuntimeError, match="runs already"):
            conductor.start()
        conductor.stop()
        conductor.stop()
        conductor.start()
        again = client.hello()

    assert (first.conductor, first.boot_id != again.boot_id) == (again.conductor, True)
    assert conductor.wait(timeout_s=0)
    assert conductor.failure is None


def test_many_threads_may_stop_a_conductor_at_once(tmp_path: Path) -> None:
    conductor = Conductor(store=tmp_path / "c.db", endpoint=f"ipc://{tmp_path}/c.ipc")
    conductor.start()
    stopping = [threading.Thread(target=conductor.stop) for _ in range(5)]
    for thread in stopping:
        thread.start()
    for thread in stopping:
        thread.join(STOP_S)

    assert other_threads() == []
    conductor.start()
    conductor.stop()


def test_a_part_that_cannot_start_stops_those_before_it(tmp_path: Path) -> None:
    (tmp_path / "c.ipc").write_text("somebody's file")
    conductor = Conductor(store=tmp_path / "c.db", endpoint=f"ipc://{tmp_path}/c.ipc")
    counts: list[int] = []

    for _ in range(3):
        with pytest.raises(EndpointRefused):
            conductor.start()
        counts.append(open_descriptors())

    assert (other_threads(), conductor.wait(timeout_s=0)) == ([], True)
    assert counts == [counts[0]] * 3
    (tmp_path / "c.ipc").unlink()
    with conductor, conductor.client() as client:
        assert client.nodes.list() == []


def test_a_conductor_that_cannot_listen_has_touched_no_machine(tmp_path: Path) -> None:
    path, plugin = tmp_path / "c.db", Plugin()
    at_once = Settings(power_check_start_spread_s=0.0)
    with running_conductor(store=path) as first, first.client() as client:
        verbs = [NodeCreate(name=f"n{number}", driver="fake") for number in range(300)]
        assert not any(isinstance(answer, CastironError) for _, answer in client.send_many(verbs))

    with running_conductor() as other:
        copy = Conductor(store=path, endpoint=other.endpoint, settings=at_once, drivers=plugin.make)
        with pytest.raises(EndpointRefused):
            copy.start()
        with other.client() as client:
            assert client.ping()

    assert plugin.driver.calls == []
    with Conductor(store=path, endpoint=f"ipc://{tmp_path}/c.ipc", settings=at_once, drivers=plugin.make):
        until(lambda: bool(plugin.driver.calls))


def test_two_conductors_in_one_process_do_not_see_each_other(tmp_path: Path) -> None:
    with (
        BMCFarm(bmcs=2) as farm,
        running_conductor(store=tmp_path / "a.db") as one,
        running_conductor(store=tmp_path / "b.db") as other,
        one.client() as ours,
        other.client() as theirs,
    ):
        ours.nodes.create("n1", driver_info=farm[0].driver_info)
        theirs.nodes.create("n1", driver_info=farm[1].driver_info)
        ours.nodes.power("n1", "power on").wait(timeout_s=5)
        one.stop()

        assert theirs.nodes.power("n1", "power on").wait(timeout_s=5).state == "succeeded"
        assert theirs.status().nodes["total"] == 1
        assert (one.conductor_id != other.conductor_id, len(farm[0].controls), len(farm[1].controls)) == (True, 1, 1)
        assert other.failure is None


def let_time_pass(client: Client) -> None:
    """Have a timer ordered that is due before all others."""
    client.requests.wait(client.nodes.power("n1", "power on").id, 0.05)


KILLS: dict[str, tuple[str, Callable[[Client], object]]] = {
    "castiron-store-writer": ("store writer", lambda client: client.nodes.set("n1", extra={"a": 1})),
    "castiron-archive": ("archive", lambda client: client.status()),
    "castiron-front-door": ("front door", lambda client: client.ping()),
    "castiron-clock": ("clock", let_time_pass),
    "castiron-ipmi": ("ipmi driver", lambda client: client.nodes.boot_device("n1")),
}


def kill_thread(name: str) -> None:
    """Make a thread raise SystemExit as soon as it runs Python again: it ends without a word."""
    (thread,) = (thread for thread in threading.enumerate() if thread.name == name)
    assert thread.ident is not None
    set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
    assert set_exception(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)) == 1


def only_ipmi(clock: Clock, settings: Settings, shares: Shares) -> dict[str, Driver]:
    del settings, shares
    return {"ipmi": IPMIDriver(clock)}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that is the point
@pytest.mark.parametrize("thread", KILLS)
def test_a_part_whose_thread_has_died_makes_the_conductor_give_up_and_say_so(tmp_path: Path, thread: str) -> None:
    what, poke = KILLS[thread]
    store = tmp_path / "c.db"
    with BMCFarm(bmcs=1) as farm:
        with running_conductor(store=store, drivers=only_ipmi) as conductor, conductor.client(0.3) as client:
            client.nodes.create("n1", driver_info=farm[0].driver_info)
            farm[0].set_faults(SILENT)
            kill_thread(thread)
            with suppress(CastironError):
                poke(client)

            assert conductor.wait(timeout_s=5)
            assert conductor.failure == f"the {what} has died"
            if thread != "castiron-front-door":
                with pytest.raises(ConductorDraining):
                    client.nodes.delete("n1")
            began = time.monotonic()
            conductor.stop()
            assert time.monotonic() - began < STOP_S
            assert conductor.failure is not None

        assert other_threads() == []
        farm[0].set_faults(Faults())
        with running_conductor(store=store) as conductor, conductor.client() as client:
            for request in client.requests.list():
                request.wait(timeout_s=10)
            assert client.nodes.power("n1", "power off").wait(timeout_s=5).state == "succeeded"
    with opened(store) as left:
        Audit(left).check()
