"""Key files: ZeroMQ's own, with the modes and the sizes that they must have."""

import os
import stat
from pathlib import Path

import pytest
import zmq
from zmq.auth import create_certificates, load_certificate  # pyright: ignore[reportUnknownVariableType] - a bare PathLike

from castiron.transport.errors import KeyUnusable
from castiron.transport.keys.certificate import is_public_key, make_pair, public_key_in, read_pair


def test_a_pair_is_two_certificates_that_zmq_reads_and_only_one_is_secret(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        made = make_pair(tmp_path / "new" / "folder", "alice")
    finally:
        os.umask(before)

    assert stat.S_IMODE(made.secret_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.secret_path.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in made.secret_path.parent.iterdir()) == ["alice.key", "alice.key_secret"]
    public, secret = load_certificate(made.secret_path)
    assert load_certificate(made.public_path) == (public, None)
    assert (public.decode(), zmq.curve_public(secret or b"")) == (made.public, public)
    assert read_pair(made.secret_path).public == made.public == public_key_in(made.public_path)
    assert (secret or b"").decode() not in repr(read_pair(made.secret_path))


@pytest.mark.parametrize("suffix", [".key", ".key_secret"])
def test_nothing_is_overwritten_and_nothing_half_is_left(tmp_path: Path, suffix: str) -> None:
    there = tmp_path / f"alice{suffix}"
    there.write_text("precious")

    with pytest.raises(KeyUnusable, match=f"alice{suffix} exists already"):
        make_pair(tmp_path, "alice")

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(there.name, "precious")]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(KeyUnusable, match="cannot be written"):
        make_pair(tmp_path / "file" / "deeper", "alice")


def test_no_public_key_passes_for_an_option(tmp_path: Path) -> None:
    assert not any(make_pair(tmp_path, f"k{number}").public.startswith("-") for number in range(40))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o620, 0o601])
def test_a_secret_that_others_may_read_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = make_pair(tmp_path, "alice").secret_path
    path.chmod(mode)

    with pytest.raises(KeyUnusable, match=f"chmod 600 {path}"):
        read_pair(path)


def test_a_pair_made_by_pyzmq_itself_is_read(tmp_path: Path) -> None:
    public_path, secret_path = create_certificates(tmp_path, "theirs", {"who": "me"})
    Path(secret_path).chmod(0o600)

    assert read_pair(Path(secret_path)).public == public_key_in(Path(public_path))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"nonsense", b"\x00" * 200, b"curve\n    public-key = short\n", b"x" * 10_000),
        *(b'public-key = "' + "é".encode() * 20 + b'"\n', b'public-key = "' + b"~" * 40 + b'"\n'),
    ],
)
def test_a_file_that_is_no_certificate_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.key_secret"
    path.write_bytes(content)
    path.chmod(0o600)

    for read in (read_pair, public_key_in):
        with pytest.raises(KeyUnusable, match=r"is not a key file|holds no secret key") as caught:
            read(path)
        assert "nonsense" not in caught.value.message


def test_a_public_file_is_no_secret_and_a_damaged_pair_is_none(tmp_path: Path) -> None:
    alice, bob = make_pair(tmp_path, "alice"), make_pair(tmp_path, "bob")
    for mode in (0o600, 0o644):  # the latter is how it was made
        alice.public_path.chmod(mode)
        with pytest.raises(KeyUnusable, match=r"ends in \.key_secret"):
            read_pair(alice.public_path)

    _, theirs = load_certificate(bob.secret_path)
    _, own = load_certificate(alice.secret_path)
    assert own is not None
    assert theirs is not None
    whole = alice.secret_path.read_bytes()
    for damaged in (theirs, b"~" * 40, own[:-1], "é".encode() * 20):
        alice.secret_path.write_bytes(whole.replace(own, damaged))
        with pytest.raises(KeyUnusable, match="damaged") as caught:
            read_pair(alice.secret_path)
        assert own.decode() not in caught.value.message


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(KeyUnusable):
            public_key_in(path)


@pytest.mark.parametrize("text", ["", "a" * 39, "a" * 41, "é" * 40, " " * 40, "#" * 40, "a" * 45])
def test_what_is_no_key_does_not_pass_for_one(text: str) -> None:
    assert not is_public_key(text)
