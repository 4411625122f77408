"""How calls are signed, and where the secrets come from."""

import base64
from pathlib import Path

import pytest

from castiron.actors.webhooks.keyfile import read_secrets
from castiron.store.errors import SecretsUnreadable
from castiron.transport.webhooks.signature import Secret, signed
from tests.support.receiver import OTHER_SECRET, SECRET, Taken, key_file


def test_the_example_of_standard_webhooks_has_this_signature() -> None:
    """The one in the test vectors of its reference libraries."""
    secret = Secret.read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    headers = signed([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_secret_signs_while_one_takes_over_from_another(tmp_path: Path) -> None:
    secrets = read_secrets(key_file(tmp_path, SECRET, OTHER_SECRET))

    taken = Taken("/", dict(signed(secrets, "a.1", 5, b"{}")), b"{}")

    assert taken.is_signed_with(SECRET)
    assert taken.is_signed_with(OTHER_SECRET)
    assert not taken.is_signed_with(base64.b64encode(b"x" * 32).decode())


@pytest.mark.parametrize(("change", "value"), [("webhook-id", "a.2"), ("webhook-timestamp", "6"), ("body", "")])
def test_nothing_that_is_signed_can_be_changed(tmp_path: Path, change: str, value: str) -> None:
    headers = dict(signed(read_secrets(key_file(tmp_path)), "a.1", 5, b"{}"))
    body = b"{ }" if change == "body" else b"{}"
    changed = headers if change == "body" else {**headers, change: value}

    assert not Taken("/", changed, body).is_signed_with(SECRET)


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    assert repr(read_secrets(key_file(tmp_path))) == "(Secret(),)"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path)
    path.chmod(mode)

    with pytest.raises(SecretsUnreadable, match=f"mode {mode:04o}.*chmod 600"):
        read_secrets(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# nothing\n",
        b"hush-hush-this-is-not-one",
        b"whsec_aHVzaA==",
        b"whsec_hush%%%",
        b"whsec_hush\xff",
        b"whsec_" + base64.b64encode(bytes(65)),
        f"whsec_{SECRET}\n".encode() * 5,
    ],
)
def test_what_is_no_key_file_is_told_and_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(SecretsUnreadable) as refused:
        read_secrets(path)
    assert "webhook key file" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SecretsUnreadable, match="No such file"):
        read_secrets(tmp_path / "none")
