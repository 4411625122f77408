"""A plug-in of pytest: a conductor, simulated BMCs and a client as fixtures, and the nodes' stories where a test fails.

    @pytest.mark.castiron(nodes=100, faults={"n[3-5]": "silent=true"})
    def test_power(castiron_client, bmc_farm):
        castiron_client.nodes.power("n1", "power on").wait(timeout_s=5).raise_for_error()
        assert bmc_farm[0].power == "power on"

`wanted` has what the marker takes, `story` what is told. pytest finds this where castiron is installed; nothing of
castiron is loaded before a fixture is asked for.
"""

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from castiron.testing.plugin.story import Stage, tell_stories
from castiron.testing.plugin.wanted import MARKER, Wanted, wanted_by, words

if TYPE_CHECKING:
    from castiron.actors.conductor import Conductor, MakeDrivers
    from castiron.testing.farm import BMCFarm
    from castiron.testing.simulation.simulation import Simulation
    from castiron.transport.clients.blocking.client import Client

_STAGE = pytest.StashKey[Stage]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{MARKER}({words()}): what the fixtures of castiron are to be like")


@pytest.fixture
def bmc_farm(request: pytest.FixtureRequest) -> "Generator[BMCFarm]":
    """Simulated BMCs over real UDP, one for each node; `bmc_farm[0]` is that of n1."""
    from castiron.testing.farm import BMCFarm  # noqa: PLC0415 - loaded where it is asked for

    wanted = wanted_by(request)
    with BMCFarm(wanted.nodes, seed=wanted.seed) as farm:
        for number, faults in wanted.ailing().items():
            farm[number].set_faults(faults)
        yield farm


@pytest.fixture
def castiron_drivers(request: pytest.FixtureRequest) -> "MakeDrivers":
    """Make the drivers of `castiron_conductor`. A test module that has drivers of its own overrides this fixture."""
    from castiron.actors.drivers.registry import make_drivers  # noqa: PLC0415 - loaded where it is asked for
    from castiron.testing.running import impatient_drivers  # noqa: PLC0415 - as above

    return impatient_drivers if wanted_by(request).impatient else make_drivers


@pytest.fixture
def castiron_periodics() -> Iterable[object]:
    """Return what `castiron_conductor` does again and again. A test module that has some overrides this fixture."""
    return ()


@pytest.fixture
def castiron_conductor(
    request: pytest.FixtureRequest, castiron_drivers: "MakeDrivers", castiron_periodics: Iterable[object]
) -> "Generator[Conductor]":
    """A conductor with its nodes enrolled: real threads, real sockets, a store in memory."""
    from castiron.testing.running import running_conductor  # noqa: PLC0415 - loaded where it is asked for

    wanted = wanted_by(request)
    is_known = wanted.enrolled and wanted.nodes > 0
    farm: BMCFarm | None = request.getfixturevalue("bmc_farm") if is_known and wanted.driver == "ipmi" else None
    folder: Path | None = request.getfixturevalue("tmp_path") if wanted.stored else None
    with running_conductor(
        settings=wanted.chosen(),
        drivers=castiron_drivers,
        periodics=castiron_periodics,
        store=folder and folder / "castiron.db",
    ) as conductor:
        if is_known:
            with conductor.client() as client:
                _enrol(client, wanted, farm)
        request.node.stash[_STAGE] = Stage(conductor=conductor)
        yield conductor
        del request.node.stash[_STAGE]


@pytest.fixture
def castiron_client(request: pytest.FixtureRequest, castiron_conductor: "Conductor") -> "Generator[Client]":
    """A blocking client of the conductor. One that is awaited: castiron.connect_async(castiron_conductor.endpoint)."""
    with castiron_conductor.client(timeout_s=wanted_by(request).timeout_s) as client:
        yield client


@pytest.fixture
def castiron_simulation(request: pytest.FixtureRequest) -> "Generator[Simulation]":
    """A conductor in virtual time, with its nodes enrolled, where nothing happens by itself but its power checks.

    `users.ask(verb)` asks, `live(seconds)` lets time pass, `machines[0]` is that of the first node. Deterministic.
    """
    from dataclasses import asdict  # noqa: PLC0415 - loaded where it is asked for

    from castiron.testing.simulation.plan import Plan  # noqa: PLC0415 - as above
    from castiron.testing.simulation.simulation import Simulation  # noqa: PLC0415 - as above

    wanted = wanted_by(request)
    plan = Plan(seed=wanted.seed, nodes=wanted.nodes, ipmi_nodes=0, dead_percent=0.0)
    with Simulation(plan, settings=wanted.chosen(asdict(plan.settings()))) as simulation:
        for number, faults in wanted.ailing().items():
            simulation.machines[number].bmc.faults = faults
        if wanted.enrolled:
            simulation.enrol()
        request.node.stash[_STAGE] = Stage(simulation=simulation)
        yield simulation
        del request.node.stash[_STAGE]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, Any]:
    """Add what has happened to the nodes to the report of a test that fails."""
    report = yield
    stage = item.stash.get(_STAGE, None)
    if stage is not None and report.failed and call.when != "teardown":
        report.sections.append(("castiron", tell_stories(stage, report.longreprtext)))
    return report


def _enrol(client: "Client", wanted: Wanted, farm: "BMCFarm | None") -> None:
    from castiron.transport.errors import CastironError  # noqa: PLC0415 - loaded where it is asked for
    from castiron.transport.verbs import NodeCreate  # noqa: PLC0415 - as above

    nothing: dict[str, Any] = {}
    infos = [nothing] * wanted.nodes if farm is None else [bmc.driver_info for bmc in farm]
    verbs = [
        NodeCreate(name=name, driver=wanted.driver, driver_info=info)
        for name, info in zip(wanted.names, infos, strict=True)
    ]
    for _, outcome in client.send_many(verbs):
        if isinstance(outcome, CastironError):
            raise outcome
