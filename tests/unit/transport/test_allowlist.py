"""The allow-list: read whole or not at all, written whole, and followed."""

import json
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.transport.errors import KeyUnusable
from castiron.transport.keys import allowlist
from castiron.transport.keys.allowlist import (
    MAX_KEYS,
    Allowed,
    AllowList,
    change_allow_list,
    includes,
    is_name,
    parse,
    read_allow_list,
)
from castiron.transport.keys.follower import Follower
from castiron.transport.vocabulary import Role
from tests.support.deadline import until

WHERE = Path("list.json")
KEYS = [zmq.curve_keypair()[0].decode() for _ in range(3)]


def entry(name: str = "alice", role: Role = Role.READER, key: int = 0) -> Allowed:
    return Allowed(name=name, role=role, public_key=KEYS[key], allowed_at=1.5)


def text_of(*entries: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"version": 1, "keys": list(entries), **more}).encode()


def raw(**changes: Any) -> dict[str, Any]:
    return {"name": "alice", "role": "reader", "public_key": KEYS[0], "allowed_at": 1.5} | changes


def test_what_is_written_is_read_and_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "made" / "list.json"

    change_allow_list(path, lambda allowed: allowed.with_entry(entry("bob", key=1)).with_entry(entry()))

    assert list(read_allow_list(path)) == [entry(), entry("bob", key=1)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["list.json"]


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    change_allow_list(path, lambda allowed: allowed.with_entry(entry()))
    before = path.read_bytes()

    with pytest.raises(ValueError, match="same key"):
        change_allow_list(path, lambda allowed: allowed.with_entry(entry("bob")))

    assert path.read_bytes() == before


def test_a_list_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text("{")

    with pytest.raises(KeyUnusable, match="is not an allow-list"):
        change_allow_list(path, lambda allowed: allowed.with_entry(entry()))

    assert path.read_text() == "{"


def test_what_a_killed_process_has_left_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    (tmp_path / "list.json.new").write_text("half of")

    assert list(change_allow_list(path, lambda allowed: allowed.with_entry(entry()))) == [entry()]


def test_of_many_changes_at_once_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    keys = {f"k{number}": zmq.curve_keypair()[0].decode() for number in range(16)}

    def allow(name: str) -> None:
        one = Allowed(name=name, role=Role.READER, public_key=keys[name])
        change_allow_list(path, lambda allowed: allowed.with_entry(one))

    threads = [threading.Thread(target=allow, args=(name,)) for name in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {one.name for one in read_allow_list(path)} == set(keys)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b"\xff\xfe", "malformed"),
        (b"[" * 100_000, "Expected `object`"),
        (b"{}", "missing required field"),
        (text_of(version=2), "version"),
        (text_of(everybody=True), "unknown field `everybody`"),
        (text_of(raw(role="root")), r"\$.keys\[0\].role"),
        (text_of(raw(role=None)), r"\$.keys\[0\].role"),
        (text_of(raw(name="a b")), r"\$.keys\[0\].name"),
        (text_of(raw(name="alice\n")), r"\$.keys\[0\].name"),
        (text_of(raw(name="x" * 65)), r"\$.keys\[0\].name"),
        (text_of(raw(public_key="*")), "public key of alice"),
        (text_of(raw(public_key="~" * 40)), "public key of alice"),
        (text_of(raw(), raw(public_key=KEYS[1])), "same name"),
        (text_of(raw(), raw(name="bob")), "same key"),
        (text_of(raw(rolle="admin")), "unknown field `rolle`"),
        (text_of(*[raw(name=f"k{number}") for number in range(MAX_KEYS + 1)]), "1000"),
    ],
)
def test_what_is_no_list_is_refused_with_the_reason(content: bytes, told: str) -> None:
    with pytest.raises(KeyUnusable, match=f"(?i){told}"):
        parse(content, WHERE)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.from_regex(rb"\{.*\}", fullmatch=True))
def test_whatever_is_in_the_file_is_a_list_or_an_error_of_ours(content: bytes) -> None:
    with suppress(KeyUnusable):
        assert list(parse(content, WHERE)) == []


def test_a_file_that_others_may_write_or_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(text_of(raw()))
    assert list(read_allow_list(path)) == [entry()]
    for mode in (0o620, 0o602, 0o666):
        path.chmod(mode)
        with pytest.raises(KeyUnusable, match=f"chmod 600 {path}"):
            read_allow_list(path)
    path.chmod(0o600)
    path.write_bytes(b" " * (allowlist.MAX_FILE_BYTES + 1))
    with pytest.raises(KeyUnusable, match="larger"):
        read_allow_list(path)
    with pytest.raises(KeyUnusable, match="cannot be read"):
        read_allow_list(tmp_path)


def test_each_role_includes_those_before_it() -> None:
    assert [[includes(role, needed) for needed in Role] for role in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize("name", ["", "a b", "-a", "a(", "a\n", "x" * 65, "é"])
def test_a_name_cannot_pass_for_more_than_a_name(name: str) -> None:
    assert not is_name(name)
    assert is_name("alice-1.example_2")


def test_a_list_is_looked_into_by_key_and_by_name() -> None:
    allowed = AllowList([entry("bob", key=1), entry()])

    assert [one.name for one in allowed] == ["alice", "bob"]
    assert (allowed.owner(KEYS[1]), allowed.owner(KEYS[2])) == (entry("bob", key=1), None)
    assert (allowed.named("alice"), allowed.named("eve")) == (entry(), None)
    assert allowed.without("bob").keys() == {KEYS[0]}
    assert allowed.with_entry(entry(role=Role.ADMIN)).named("alice") == entry(role=Role.ADMIN)


def test_a_follower_takes_up_a_change_and_tells(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    change_allow_list(path, lambda allowed: allowed)
    follower, told = Follower(path, look_s=0.01), threading.Event()
    follower.start(told.set)
    change_allow_list(path, lambda allowed: allowed.with_entry(entry()))

    assert told.wait(20)
    assert list(follower.allowed) == [entry()]
    path.chmod(0o666)
    until(lambda: follower.counters()["allow_list_unusable"] == 1)
    assert list(follower.allowed) == [entry()]
    path.chmod(0o600)
    until(lambda: follower.counters()["allow_list_unusable"] == 0)
    assert follower.counters() == {"keys_allowed": 1, "allow_list_changes": 1, "allow_list_unusable": 0}
    follower.stop(20)
    assert not follower.is_alive()


def test_without_a_list_nobody_begins_to_follow(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="castiron keys allow"):
        Follower(tmp_path / "none")
