"""What a conductor logs, in earnest: no secret at any level, one id through log, event and trace, few lines."""

import base64
import json
import logging
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from castiron.actors.settings import Settings
from castiron.testing import BMCFarm, Faults, running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.nodes import DriverInfoMap
from castiron.transport.errors import CastironError
from tests.support.deadline import until
from tests.support.keyring import Keyring
from tests.support.receiver import SECRET, Receiver, key_file

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30
PASSWORD, WRONG, FORMER = "corr3ct-h0rse", "batt3ry-st4ple", "f0rmer-pa55word"
TOKEN = "t0ken-of-the-receiver"
K_G = b"k-g-of-sixteen-b"


class Served:
    """A conductor that takes keys, calls back and logs everything, as a process."""

    def __init__(self, folder: Path, form: str, hook: str) -> None:
        self.folder = folder
        self.ring = Keyring(folder)
        self.ring.allow("alice")
        self.log = folder / "log"
        settings = ("sync_power_state_interval_s=0.1", "power_check_backoff_max_s=0", "unknown_outcome_settle_s=0.1")
        waits = ("command_timeout_s=0.5", "power_state_change_timeout_s=1", "power_state_sync_max_retries=1000")
        hooks = (f"webhook_allowed_prefixes={hook}", f"webhook_key_file={key_file(folder)}")
        words: list[str | Path] = [word for setting in (*settings, *waits, *hooks) for word in ("--set", setting)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "castiron", "serve", "--log-level", "debug", "--log-format", form),
                    *("--store", folder / "store.db", "--listen", "tcp://127.0.0.1:0"),
                    *("--server-key-file", self.ring.secret("server"), "--allow-file", self.ring.allow_path, *words),
                ],
                env={"HOME": str(folder), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.endpoint = self.process.stdout.readline().split()[-1]

    def client(self) -> Client:
        return Client(self.endpoint, key=self.ring.secret("alice"), server_key=self.ring.public("server"), patience_s=0)

    def secrets(self) -> dict[str, str]:
        """Return everything that must never be told, in the forms in which it could be."""
        stored = (self.folder / "store.db.key").read_bytes()
        texts = {"password": PASSWORD, "wrong": WRONG, "former": FORMER, "k_g": K_G.decode(), "token": TOKEN}
        return {
            **texts,
            **{f"{name} in hex": text.encode().hex() for name, text in texts.items()},
            **{f"{name} in base64": base64.b64encode(text.encode()).decode() for name, text in texts.items()},
            "webhook": SECRET,
            "store's key": max(stored.decode("ascii", "replace").split(), key=len),
            **{
                f"key of {name}": self.ring.secret(name).read_text().partition("secret-key")[2].split('"')[1]
                for name in ("alice", "server")
            },
        }


@contextmanager
def served(folder: Path, form: str, hook: str = "http://127.0.0.1:9") -> Generator[Served]:
    one = Served(folder, form, hook)
    with one.process:
        try:
            yield one
        finally:
            one.process.kill()


def trouble(one: Served, farm: BMCFarm, hook: str) -> dict[str, str]:
    """Have as much go wrong as may; return the requests' ids by node."""
    info = {**farm[0].driver_info, "ipmi_k_g": K_G.hex()}
    wrongs: list[DriverInfoMap] = [
        {**info, "ipmi_pasword": PASSWORD},
        {**info, "ipmi_port": PASSWORD},
        {"ipmi_password": PASSWORD},
    ]
    with one.client() as client:
        client.nodes.create("good", driver_info=farm[0].driver_info)
        client.nodes.create("wrong", driver_info={**farm[1].driver_info, "ipmi_password": WRONG})
        client.nodes.create("silent", driver_info=farm[2].driver_info)
        client.nodes.create("redfish", driver="redfish", driver_info={**REDFISH, "redfish_password": PASSWORD})
        farm[2].set_faults(Faults(silent=True))
        client.nodes.set("silent", driver_info={"ipmi_password": FORMER})
        client.nodes.set("silent", driver_info={"ipmi_password": PASSWORD})
        for bad in wrongs:
            with suppress(CastironError):
                client.nodes.create("bad", driver_info=bad)
        ids = {
            name: client.nodes.power(name, "rebooting", callback_url=f"{hook}/{name}?token={TOKEN}").id
            for name in ("good", "wrong", "silent", "redfish")
        }
        for request_id in ids.values():
            client.requests.wait(request_id, DEADLINE_S)
    return ids


REDFISH: DriverInfoMap = {
    "redfish_address": "https://127.0.0.1:9",
    "redfish_username": "admin",
    "redfish_system_id": "/redfish/v1/Systems/1",
    "redfish_verify_ca": False,
}


@pytest.fixture
def farm() -> Generator[BMCFarm]:
    with BMCFarm(bmcs=3, password=PASSWORD) as opened:
        yield opened


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_in_any_line_at_debug(tmp_path: Path, farm: BMCFarm, form: str) -> None:
    with closing(Receiver()) as receiver, served(tmp_path, form, receiver.url) as one:
        trouble(one, farm, receiver.url)
        until(lambda: len(receiver.taken) == 4)
        secrets = one.secrets()
        one.process.terminate()
        assert one.process.wait(DEADLINE_S) == 0
        told = one.log.read_text()

    assert all(len(secret) > 8 for secret in secrets.values())
    assert [name for name, secret in secrets.items() if secret in told] == []
    assert len(told.splitlines()) > 10, "it does log"
    assert "SELECT" not in told, "what libraries say at debug has values in it"
    assert "/good?******" in told, "castiron tells who is called, and not with what query; httpx would"
    assert "bmc.credentials" in told
    assert "bmc.unreachable" in told


def test_one_id_leads_from_the_log_to_the_event_and_the_trace(tmp_path: Path, farm: BMCFarm) -> None:
    with closing(Receiver()) as receiver, served(tmp_path, "json", receiver.url) as one:
        request = trouble(one, farm, receiver.url)["silent"]

        def lines() -> list[dict[str, Any]]:
            read = [json.loads(line) for line in one.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
            return [line for line in read if line.get("request") == request and line["level"] == "warning"]

        until(lambda: len(lines()) > 0)
        (line,) = lines()
        with one.client() as client:
            events = {event.seq: event for event in client.events(since=line["event"] - 1, follow=False)}
            trace = client.requests.trace(request)

    event = events[line["event"]]
    assert (event.request, event.node) == (request, line["node"])
    assert line["node"] == "silent"
    assert trace.request.id == request
    assert trace.request.error is not None
    assert trace.request.error["code"] == line.get("code", trace.request.error["code"])


def test_a_bmc_that_fails_again_and_again_has_one_line(tmp_path: Path, farm: BMCFarm) -> None:
    with served(tmp_path, "json") as one, one.client() as client:
        client.nodes.create("n1", driver_info=farm[0].driver_info)
        farm[0].set_faults(Faults(silent=True))
        until(lambda: int(client.status().checks.failed) >= 3)
        lines = [json.loads(line) for line in one.log.read_text().splitlines()]

    told = [line["message"] for line in lines if line.get("code") == "bmc.unreachable"]
    assert len(told) == 1, told


def test_an_embedded_conductor_logs_as_its_host_does(caplog: pytest.LogCaptureFixture) -> None:
    root, own = logging.getLogger(), logging.getLogger("castiron")
    before = (list(root.handlers), root.level, own.level, own.propagate)

    with caplog.at_level(logging.INFO, "castiron"), running_conductor(settings=Settings()) as conductor:
        during = (list(root.handlers), root.level, own.propagate)
        assert any(conductor.conductor_id in record.message for record in caplog.records)

    assert during == (before[0], before[1], before[3])
    assert (list(root.handlers), root.level, own.level, own.propagate) == before
