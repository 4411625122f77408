"""`castiron keys`: pairs, and the list of those that are let in."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import Result

from castiron.transport.keys.allowlist import read_allow_list
from castiron.transport.keys.certificate import read_pair
from tests.support.keyring import Keyring
from tests.unit.cli.conftest import Run


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state" / "castiron.db"
    monkeypatch.setenv("CASTIRON_STORE", str(path))
    return path


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


def told(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(result: Result, code: int, words: str) -> None:
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert words in result.stderr


def test_a_new_pair_is_told_without_its_secret(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    out = told(run("keys", "new", "alice"))

    secret_path = tmp_path / "config" / "castiron" / "alice.key_secret"
    pair = read_pair(secret_path)
    assert stat.S_IMODE(secret_path.stat().st_mode) == 0o600
    assert f"castiron keys allow alice '{pair.public}' --role operator" in out
    assert pair.secret.decode() not in out
    refused(run("keys", "new", "alice"), 73, "exists already")


def test_the_servers_pair_is_where_serve_looks_for_it(run: Run, store: Path, tmp_path: Path) -> None:
    out = json.loads(told(run("keys", "new", "--server", "--format", "json")))

    assert out["secret_path"] == f"{store}.server.key_secret"
    assert read_pair(Path(out["secret_path"])).public == out["public"]
    other = tmp_path / "other.key_secret"
    told(run("keys", "new", "--server", "--server-key-file", str(other)))
    assert read_pair(other)
    refused(run("keys", "new", "--server", "--server-key-file", str(tmp_path / "x.pem")), 64, ".key_secret")


@pytest.mark.parametrize(
    ("words", "code"), [((), 64), (("alice", "--server"), 64), (("a b",), 65), (("../a",), 65), (("x" * 65,), 65)]
)
def test_a_pair_has_a_name_unless_it_is_the_servers(run: Run, store: Path, words: tuple[str, ...], code: int) -> None:
    refused(run("keys", "new", *words), code, "name")


def test_keys_are_allowed_listed_and_revoked_beside_the_store(run: Run, store: Path, ring: Keyring) -> None:
    public = ring.public("bob")
    told(run("keys", "allow", "alice", str(ring.made("alice").public_path)))
    assert "follows within two seconds" in told(run("keys", "allow", "bob", public, "--role", "operator"))

    rows = json.loads(told(run("keys", "list", "--format", "json")))
    assert [(row["name"], row["role"], row["public_key"]) for row in rows] == [
        ("alice", "reader", ring.public("alice")),
        ("bob", "operator", public),
    ]
    assert all(row["allowed_at"] > 1.6e9 for row in rows)
    table = told(run("keys", "list")).splitlines()
    assert table[0].split() == ["NAME", "ROLE", "PUBLIC", "KEY", "ALLOWED"]
    assert table[2].split()[:3] == ["bob", "operator", public]

    told(run("keys", "revoke", "alice"))
    assert [one.name for one in read_allow_list(store.with_name("castiron.db.allow.json"))] == ["bob"]
    refused(run("keys", "revoke", "alice"), 66, "No key is called alice")


def test_another_role_keeps_the_date_and_another_key_is_refused(run: Run, store: Path, ring: Keyring) -> None:
    told(run("keys", "allow", "alice", ring.public("alice")))
    (before,) = json.loads(told(run("keys", "list", "--format", "json")))
    assert "role admin now" in told(run("keys", "allow", "alice", ring.public("alice"), "--role", "admin"))

    refused(run("keys", "allow", "alice", ring.public("bob")), 65, "has another key")
    refused(run("keys", "allow", "bob", ring.public("alice")), 73, "alice's already")
    refused(run("keys", "allow", "bob", "nonsense"), 77, "cannot be read")
    refused(run("keys", "allow", "b b", ring.public("bob")), 65, "not a name")
    refused(run("keys", "allow", "bob", ring.public("bob"), "--role", "root"), 64, "reader")
    (after,) = json.loads(told(run("keys", "list", "--format", "json")))
    assert after == before | {"role": "admin"}


def test_the_list_is_the_one_that_serve_is_told_of(
    run: Run, ring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "castiron.toml"
    config.write_text(f'[conductor]\nallow_file = "{tmp_path}/from-file.json"\n')
    told(run("keys", "allow", "one", ring.public("one"), "--config", str(config)))
    monkeypatch.setenv("CASTIRON_ALLOW_FILE", f"{tmp_path}/from-environment.json")
    told(run("keys", "allow", "two", ring.public("two"), "--config", str(config)))
    option = ("--allow-file", f"{tmp_path}/from-option.json")
    told(run("keys", "allow", "three", ring.public("three"), "--config", str(config), *option))

    for name, place in (("one", "file"), ("two", "environment"), ("three", "option")):
        assert [entry.name for entry in read_allow_list(tmp_path / f"from-{place}.json")] == [name]


def test_a_list_that_is_none_is_told_and_left(run: Run, store: Path, ring: Keyring) -> None:
    refused(run("keys", "list"), 77, "castiron keys allow")
    refused(run("keys", "revoke", "alice"), 66, "no allow-list")
    path = store.with_name("castiron.db.allow.json")
    path.parent.mkdir()
    path.write_text("{}")
    for words in (("list",), ("revoke", "alice"), ("allow", "alice", ring.public("alice"))):
        refused(run("keys", *words), 77, "is not an allow-list")
    assert path.read_text() == "{}"


def test_settings_know_where_keys_are_and_clients_variables_are_not_theirs(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASTIRON_CLIENT_KEY", "/a")
    monkeypatch.setenv("CASTIRON_SERVER_KEY", "/b")
    monkeypatch.setenv("CASTIRON_SERVER_KEY_FILE", "/c")

    rows = {row["name"]: row for row in json.loads(told(run("settings", "--format", "json")))}

    assert rows["server_key_file"]["value"] == "/c"
    assert rows["server_key_file"]["source"] == "environment CASTIRON_SERVER_KEY_FILE"
    assert rows["allow_file"]["value"] is None
