"""What the pages show of coroutines does what they say: their step and their periodic task, against real sockets."""

import asyncio
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from castiron.actors.steps import StepContext
from castiron.actors.steps.declaring import DeclaredStep
from castiron.testing import running_conductor
from castiron.transport.vocabulary import Instant
from tests.docs.examples import examples_of
from tests.support.deadline import until


class Controller(socketserver.StreamRequestHandler):
    """A RAID controller: builds what it is told to, and says how far it is."""

    def handle(self) -> None:
        size = self.rfile.readline().split()[1].decode()
        for line in ("percent 0", "percent 50", f"done vol{size}"):
            self.wfile.write(f"{line}\n".encode())


class Switch(socketserver.StreamRequestHandler):
    """A switch that says for how long it is up."""

    def handle(self) -> None:
        assert self.rfile.readline() == b"uptime\n"
        self.wfile.write(b"3 days\n")


@contextmanager
def served(handler: type[socketserver.StreamRequestHandler]) -> Generator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def shown(page: str, word: str, **names: Any) -> dict[str, Any]:
    """Return what the example of a page defines that has a word."""
    (example,) = [one for one in examples_of(page) if one.language == "python" and word in one.text]
    exec(compile(example.text, str(example), "exec"), names)
    return names


def test_the_step_that_awaits_builds_its_volume_and_tells_how_far_it_is() -> None:
    with served(Controller) as port:
        step: DeclaredStep = shown("docs/guides/steps.md", "build_volume", __name__="example", controller_port=port)[
            "build_volume"
        ]
        reports: list[Any] = []
        context = StepContext(
            node="n1",
            node_uuid="u",
            driver="fake",
            driver_info={},
            properties={},
            attempt=1,
            deadline=Instant(0.0),
            token="t",
            report=reports.append,
        )

        result = asyncio.run(step.part("execute")(context, size_gb=500))

    assert result == {"volume": "vol500"}
    assert reports == [{"percent": 0}, {"percent": 50}]
    assert step.known.has_revert


@pytest.mark.parametrize("count", [3])
def test_the_task_that_awaits_reads_all_its_switches(count: int) -> None:
    with served(Switch) as port:
        switches = shown("docs/guides/periodics.md", "read_uptimes", __name__="example")["Switches"]([port] * count)
        with running_conductor(periodics=[switches]):
            until(lambda: switches.uptimes == {port: "3 days"})
