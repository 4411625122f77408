"""Keys are kept from others, and what they seal opens where it belongs and nowhere else."""

from pathlib import Path

import pytest

from castiron.store.errors import SecretsUnreadable
from castiron.store.secrets import Key, KeyFile, Sealer

KEY = Key.make("key-1")


def test_what_was_sealed_opens() -> None:
    sealer = Sealer(KEY)

    assert sealer.open("nodes/1", sealer.seal("nodes/1", "hunter2")) == "hunter2"


def test_the_same_text_is_never_sealed_the_same_way_twice() -> None:
    sealer = Sealer(KEY)

    assert len({sealer.seal("nodes/1", "hunter2") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "other",
    [Sealer(Key.make("key-1")), Sealer(Key("key-2", KEY.secret))],
    ids=["same name, other key", "same key, other name"],
)
def test_another_key_does_not_open_it(other: Sealer) -> None:
    sealed = Sealer(KEY).seal("nodes/1", "hunter2")

    with pytest.raises(SecretsUnreadable, match="nodes/1"):
        other.open("nodes/1", sealed)


def test_it_does_not_open_in_another_row() -> None:
    sealed = Sealer(KEY).seal("nodes/1", "hunter2")

    with pytest.raises(SecretsUnreadable, match="nodes/2"):
        Sealer(KEY).open("nodes/2", sealed)


@pytest.mark.parametrize("place", [0, 15, 20, -1])
def test_a_changed_text_does_not_open(place: int) -> None:
    sealed = list(Sealer(KEY).seal("nodes/1", "hunter2"))
    sealed[place] = "A" if sealed[place] != "A" else "B"

    with pytest.raises(SecretsUnreadable):
        Sealer(KEY).open("nodes/1", "".join(sealed))


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64!", "é"])
def test_nonsense_does_not_open(sealed: str) -> None:
    with pytest.raises(SecretsUnreadable):
        Sealer(KEY).open("nodes/1", sealed)


def test_a_key_does_not_show_itself() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in repr(KEY)


def test_a_key_file_keeps_its_keys_for_its_owner_alone(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "key")
    other = Key.make("key-2")

    file.create(KEY)
    created = file.read()
    file.replace((other, KEY))

    assert created == (KEY,)
    assert file.read() == (other, KEY)
    assert file.path.stat().st_mode & 0o7777 == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "key"]


def test_a_key_file_is_never_made_over_another(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "key")
    file.create(KEY)

    with pytest.raises(SecretsUnreadable, match="File exists"):
        file.create(Key.make("key-2"))

    assert file.read() == (KEY,)


def test_a_draft_that_a_killed_process_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "key.new").write_text("half a k")

    KeyFile(tmp_path / "key").create(KEY)

    assert KeyFile(tmp_path / "key").read() == (KEY,)
    assert list(tmp_path.iterdir()) == [tmp_path / "key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_file_that_others_may_use_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    file = KeyFile(tmp_path / "key")
    file.create(KEY)
    file.path.chmod(mode)

    with pytest.raises(SecretsUnreadable, match=f"chmod 600 {file.path}"):
        file.read()


@pytest.mark.parametrize(
    "content",
    [b"", b"# only a comment\n", b"\0\xff\xfe", b"castiron-key-1 id\n", b"castiron-key-1 id c2hvcnQ=\n", b"a b c\n"],
    ids=["empty", "comment", "binary", "no key", "short key", "another word"],
)
def test_what_is_not_a_key_file_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    file = KeyFile(tmp_path / "key")
    file.path.touch(mode=0o600)
    file.path.write_bytes(content)

    with pytest.raises(SecretsUnreadable, match="not a castiron key file") as refusal:
        file.read()

    assert "c2hvcnQ" not in str(refusal.value)


def test_a_missing_key_file_says_what_to_put_back(tmp_path: Path) -> None:
    with pytest.raises(SecretsUnreadable, match="put back"):
        KeyFile(tmp_path / "key").read()


def test_a_key_file_where_none_can_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SecretsUnreadable, match="No such file or directory"):
        KeyFile(tmp_path / "nowhere" / "key").create(KEY)
