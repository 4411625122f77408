"""A plug-in of pytest: a conductor, simulated BMCs and a client as fixtures, and a node's story where a test fails.

    @pytest.mark.castiron(nodes=100, faults={"n[3-5]": "silent=true"})
    def test_power(castiron_client, bmc_farm):
        castiron_client.nodes.power("n1", "power on").wait(timeout_s=5).raise_for_error()
        assert bmc_farm[0].power == "power on"

pytest finds it where castiron is installed. Nothing of castiron is loaded before a fixture is asked for.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from castiron.actors.conductor import Conductor
    from castiron.testing.bmc import Faults
    from castiron.testing.farm import BMCFarm
    from castiron.testing.simulation.simulation import Simulation
    from castiron.transport.clients.blocking.client import Client

MARKER: Final = "castiron"
NODES: Final = 3
SHOWN_EVENTS: Final = 30
SHOWN_REQUESTS: Final = 5
"""What the report of a test that fails shows, the latest of each."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a test's marker asks for."""

    nodes: int = NODES
    """So many machines, each a node: n1, n2, …"""
    faults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What is wrong with them from the beginning: nodes as a host range → `Faults`, or words as `castiron farm set`."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of the conductor, by name."""
    driver: str = "ipmi"
    """Of the nodes: "ipmi", to BMCs over UDP, or "fake"."""
    impatient: bool = True
    """A BMC's silence is borne for a second, not for six: on loopback nothing gets lost."""
    seed: int = 0
    """What faults are drawn from, and all else in virtual time."""

    @property
    def names(self) -> list[str]:
        """Names of the nodes."""
        return [f"n{number}" for number in range(1, self.nodes + 1)]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    words = ", ".join(one.name for one in fields(Wanted))
    config.addinivalue_line("markers", f"{MARKER}({words}): what the fixtures of castiron are to be like")


def _wanted(request: pytest.FixtureRequest) -> Wanted:
    """Return what the markers ask for: a test's own words over its class's and its module's."""
    words: dict[str, Any] = {}
    for marker in reversed([*request.node.iter_markers(MARKER)]):
        if marker.args:
            raise pytest.UsageError(f"@pytest.mark.{MARKER} takes its arguments by name, as nodes=100.")
        words |= marker.kwargs
    known = {one.name for one in fields(Wanted)}
    if unknown := sorted(set(words) - known):
        raise pytest.UsageError(
            f"@pytest.mark.{MARKER} knows no {', '.join(unknown)}; it takes {', '.join(sorted(known))}."
        )
    return Wanted(**words)


@pytest.fixture
def bmc_farm(request: pytest.FixtureRequest) -> "Generator[BMCFarm]":
    """Simulated BMCs over real UDP, one for each node; `bmc_farm[0]` is that of n1."""
    from castiron.testing.farm import BMCFarm  # noqa: PLC0415 - loaded where it is asked for

    wanted = _wanted(request)
    with BMCFarm(wanted.nodes, seed=wanted.seed) as farm:
        for name, faults in _faults(wanted).items():
            farm[wanted.names.index(name)].set_faults(faults)
        yield farm


@pytest.fixture
def castiron_conductor(request: pytest.FixtureRequest) -> "Generator[Conductor]":
    """A conductor with its nodes enrolled: real threads, real sockets, a store in memory."""
    from castiron.actors.drivers.registry import make_drivers  # noqa: PLC0415 - loaded where it is asked for
    from castiron.actors.settings import Settings  # noqa: PLC0415 - as above
    from castiron.testing.running import impatient_drivers, running_conductor  # noqa: PLC0415 - as above

    wanted = _wanted(request)
    farm: BMCFarm | None = request.getfixturevalue("bmc_farm") if wanted.driver == "ipmi" else None
    drivers = impatient_drivers if wanted.impatient else make_drivers
    with running_conductor(settings=Settings(**wanted.settings), drivers=drivers) as conductor:
        with conductor.client() as client:
            _enrol(client, wanted, farm)
        request.node.stash[_RUNNING] = conductor
        yield conductor
        del request.node.stash[_RUNNING]


@pytest.fixture
def castiron_client(castiron_conductor: "Conductor") -> "Generator[Client]":
    """A blocking client of the conductor. One that is awaited: castiron.connect_async(castiron_conductor.endpoint)."""
    with castiron_conductor.client() as client:
        yield client


@pytest.fixture
def castiron_simulation(request: pytest.FixtureRequest) -> "Generator[Simulation]":
    """A conductor in virtual time, with its nodes enrolled, where nothing happens by itself but its power checks.

    `users.ask(verb)` asks, `live(seconds)` lets time pass, `machines[0]` is that of the first node. Deterministic.
    """
    from castiron.testing.simulation.plan import Plan  # noqa: PLC0415 - loaded where it is asked for
    from castiron.testing.simulation.simulation import Simulation  # noqa: PLC0415 - as above

    wanted = _wanted(request)
    plan = Plan(seed=wanted.seed, nodes=wanted.nodes, ipmi_nodes=0, dead_percent=0.0)
    with Simulation(plan) as simulation:
        simulation.enrol()
        yield simulation


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, Any]:
    """Add what the conductor has done to the report of a test that fails."""
    report = yield
    conductor = item.stash.get(_RUNNING, None)
    if call.when == "call" and report.failed and conductor is not None:
        report.sections.append(("castiron", _story(conductor)))
    return report


_RUNNING: Final = pytest.StashKey["Conductor"]()


def _faults(wanted: Wanted) -> Mapping[str, Any]:
    """Return each node's faults.

    Raises:
        UsageError: they are none, or of a node that there is not.
    """
    from castiron.transport.ranges import expand  # noqa: PLC0415 - loaded where it is asked for

    found: dict[str, Any] = {}
    for nodes, faults in wanted.faults.items():
        names = expand(nodes)
        if unknown := sorted(set(names) - set(wanted.names)):
            raise pytest.UsageError(f"faults= names {unknown[0]}, and the nodes are n1 to n{wanted.nodes}.")
        found |= dict.fromkeys(names, _read(faults) if isinstance(faults, str) else faults)
    return found


def _read(words: str) -> "Faults":
    """Return the faults that words as "silent=true loss=5" stand for."""
    from castiron.testing.bmc import Faults  # noqa: PLC0415 - loaded where it is asked for
    from castiron.testing.words import read_faults  # noqa: PLC0415 - as above

    try:
        return Faults(**read_faults(dict(word.split("=", 1) for word in words.split())))
    except ValueError as failure:
        raise pytest.UsageError(f"faults= has {words!r}: {failure}") from None


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


def _story(conductor: "Conductor") -> str:
    """Return what has happened lately, and the whole life of the latest requests."""
    from castiron.transport.errors import CastironError  # noqa: PLC0415 - loaded where it is asked for

    try:
        with conductor.client(timeout_s=1.0) as client:
            events = list(client.events(follow=False))[-SHOWN_EVENTS:]
            lines = [
                "its latest events:",
                *(f"  {one.seq:>6} {one.node or '-'} {one.type} {one.payload}" for one in events),
            ]
            for request in reversed(client.requests.list(limit=SHOWN_REQUESTS)):
                lines += ["", f"{request!r} {request.view.error or ''}".rstrip()]
                lines += [
                    f"  {step.at:.3f} {step.word} {step.details}" for step in client.requests.trace(request.id).entries
                ]
    except CastironError as error:
        return f"The conductor could not say what it has done: {error.message}"
    return "\n".join(lines)
