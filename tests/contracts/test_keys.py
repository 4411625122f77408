"""Keys from end to end: `castiron keys`, `castiron serve` and clients as processes, and what is on record then."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

import castiron
from castiron.actors.conductor import Conductor
from castiron.transport.endpoint import MAX_PORT
from castiron.transport.errors import EndpointRefused, KeyRefused, KeyUnusable, VerbForbidden
from castiron.transport.replies import RequestListed
from castiron.transport.verbs import RequestList
from castiron.transport.vocabulary import Role
from tests.support.deadline import until
from tests.support.keyring import Keyring

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30


class Site:
    """One folder, where the conductor's owner types, and clients do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "CASTIRON_STORE": str(folder / "store.db"),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
        }
        self.served: subprocess.Popen[str] | None = None

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "castiron", *words],
            cwd=self.folder,
            env=self._environment | environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def told(self, *words: str, **environment: str) -> str:
        code, out, err = self.run(*words, **environment)
        assert code == 0, err
        return out

    def serve(self, *words: str) -> str:
        """Start a conductor; return where it listens."""
        self.served = subprocess.Popen(
            [sys.executable, "-m", "castiron", "serve", *words],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.served.stdout is not None
        line = self.served.stdout.readline()
        assert "listens on" in line, self.served.communicate()
        return line.split()[-1]


@pytest.fixture
def site(tmp_path: Path) -> Generator[Site]:
    made = Site(tmp_path)
    yield made
    if made.served is not None:
        with made.served:
            made.served.kill()


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


def test_a_key_from_its_making_to_its_end(site: Site) -> None:
    server = json.loads(site.told("keys", "new", "--server", "--format", "json"))
    alice = json.loads(site.told("keys", "new", "alice", "--format", "json"))
    site.told("keys", "allow", "alice", alice["public"], "--role", "admin")
    endpoint = site.serve("--listen", "tcp://127.0.0.1:0", "--server-key-file", server["secret_path"])
    hers = {"CASTIRON_ENDPOINT": endpoint, "CASTIRON_CLIENT_KEY": alice["secret_path"]}
    hers["CASTIRON_SERVER_KEY"] = server["public_path"]

    site.told("node", "create", "n1", "--driver", "fake", **hers)
    site.told("node", "power", "on", "n1", "--wait", **hers)
    events = [json.loads(line) for line in site.told("events", "--since", "0", "--format", "json", **hers).splitlines()]
    requests = json.loads(site.told("request", "list", "--format", "json", **hers))

    askers = {event["payload"]["requester"].split()[0] for event in events if event["payload"].get("requester")}
    assert askers == {"curve:alice"}
    assert [one["requester"].split()[0] for one in requests] == ["curve:alice"]
    code, out, err = site.run("status", CASTIRON_ENDPOINT=endpoint)
    assert (code, out) == (77, "")
    assert "--server-key" in err
    site.told("keys", "revoke", "alice")

    def is_cut_off() -> bool:
        code, _, err = site.run("node", "list", "--format", "json", **hers)
        return (code, json.loads(err)["error"]["code"] if err else "") == (77, "key.refused")

    until(is_cut_off, timeout_s=DEADLINE_S)


def test_who_asks_is_on_record_and_a_claim_is_not_the_identity(ring: Keyring) -> None:
    ring.allow("alice", Role.ADMIN)
    ring.allow("bob", Role.OPERATOR)
    ring.allow("eve", Role.READER)
    with Conductor(
        endpoint="tcp://127.0.0.1:0", server_key_path=ring.secret("server"), allow_path=ring.allow_path
    ) as conductor:
        assert conductor.server_key == ring.public("server")
        with (
            conductor.client(key=ring.secret("alice")) as alice,
            castiron.Client(
                conductor.endpoint, key=ring.secret("bob"), server_key=ring.public("server"), name="curve:alice"
            ) as bob,
            conductor.client(key=ring.secret("eve")) as eve,
        ):
            alice.nodes.create("n1", driver="fake")
            bob.nodes.power("n1", "power on").wait(timeout_s=DEADLINE_S)
            ((_, listed),) = alice.send_many([RequestList(node="n1")])
            for change in (lambda: eve.nodes.power("n1", "power off"), lambda: bob.nodes.delete("n1")):
                with pytest.raises(VerbForbidden):
                    change()
            events = [event for event in alice.events(follow=False) if event.payload.get("requester")]
            told = alice.status()

        assert isinstance(listed, RequestListed)
        assert [one.requester for one in listed.requests] == ["curve:bob (curve:alice)"]
        assert {event.type: event.payload["requester"].split()[0] for event in events} == {
            "node.create.end": "curve:alice",
            "node.power_set.start": "curve:bob",
            "node.power_set.end": "curve:bob",
        }
        assert told.threads["allow-list"] == "alive"
        assert (told.transport["keys_allowed"], told.transport["verbs_forbidden"]) == (3, 2)
        assert told.transport["handshakes_denied"] == 0
        with conductor.client(key=ring.secret("mallory")) as mallory, pytest.raises(KeyRefused):
            mallory.ping()


EVERYWHERE = (f"tcp://0.0.0.0:{MAX_PORT - 1}", f"tcp://*:{MAX_PORT - 1}", f"tcp://[::]:{MAX_PORT - 1}")


@pytest.mark.parametrize("endpoint", [*EVERYWHERE, "tcp://192.0.2.7:5570"])
def test_without_keys_nothing_listens_where_others_can_connect(tmp_path: Path, endpoint: str) -> None:
    for store in (None, tmp_path / "store.db"):
        conductor = Conductor(store=store, endpoint=endpoint)
        with pytest.raises(EndpointRefused, match="castiron keys new --server"):
            conductor.start()
    assert list(tmp_path.iterdir()) == [], "nothing was made, not even the store"


def test_serve_says_what_to_do(site: Site) -> None:
    code, out, err = site.run("serve", "--listen", "tcp://0.0.0.0:5570")

    assert (code, out) == (73, "")
    assert "castiron keys new --server" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("wrong", ["server_key_path", "allow_path"])
def test_keys_that_cannot_be_used_stop_the_start(ring: Keyring, wrong: str) -> None:
    paths = {"server_key_path": ring.secret("server"), "allow_path": ring.allow_path}
    for bad in (ring.folder / "none", ring.made("server").public_path, ring.folder):
        with pytest.raises(KeyUnusable):
            started(paths | {wrong: bad})
    paths[wrong].chmod(0o666)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        started(paths)


def started(paths: dict[str, Path]) -> None:
    server_key_path, allow_path = paths["server_key_path"], paths["allow_path"]
    Conductor(endpoint="tcp://127.0.0.1:0", server_key_path=server_key_path, allow_path=allow_path).start()
