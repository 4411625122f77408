"""What a missing program does to the tests that need it."""

import pytest

from tests.support.simulators import REQUIRE, missing, needs

ABSENT = "castiron-no-such-program"


def test_what_is_there_is_not_missing() -> None:
    assert missing("sh") is None
    needs("sh")


def test_a_missing_program_skips_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE, raising=False)

    with pytest.raises(pytest.skip.Exception, match=ABSENT):
        needs("sh", ABSENT)


def test_a_missing_program_fails_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE, "1")

    with pytest.raises(pytest.fail.Exception, match=ABSENT):
        needs("sh", ABSENT)
