"""`castiron web` as a process of its own, and its stream as a browser reads it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

ROOT = Path(__file__).resolve().parents[3]
SOON_S = 20.0
"""For what takes milliseconds on a machine with time."""


class Told(NamedTuple):
    """One message of the stream."""

    id: str
    kind: str
    content: Any

    @property
    def number(self) -> int:
        return int(self.id.rpartition(".")[2])


class Web:
    """A page that is served."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=SOON_S, trust_env=False)

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.http.get(path, **more)

    @contextmanager
    def stream(self, last_id: str | None = None) -> Generator[Iterator[Told]]:
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        with self.http.stream("GET", "/api/stream", headers=headers) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            yield messages(response.iter_lines())

    def stop(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SOON_S)


def messages(lines: Iterator[str]) -> Iterator[Told]:
    """Yield the messages in the lines of a stream."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Told(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


@contextmanager
def serving(endpoint: str, *options: str) -> Generator[Web]:
    """Serve the page of a conductor."""
    command = [sys.executable, "-m", "castiron", "web", "--port", "0", "--format", "json", "--endpoint", endpoint]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"it ended with {process.wait(SOON_S)}"
            web = Web(process, json.loads(line)["url"])
            with web.http:
                yield web
        finally:
            process.kill()
