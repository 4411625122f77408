"""`castiron doctor` says of each thing how it is, and what to do; its exit code says whether there is a problem."""

import json
import os
import socket
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from castiron.actors.conductor import Conductor
from castiron.cli.health.bmcs import _suites_told
from castiron.testing import BMCFarm, Faults
from tests.unit.cli.conftest import Run


@pytest.fixture
def farm() -> Generator[BMCFarm]:
    with BMCFarm(bmcs=2, session_slots=2) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "castiron.db"
    monkeypatch.setenv("CASTIRON_STORE", str(path))
    return path


def found(run: Run, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    result = run("doctor", *words, "--format", "json")
    told = json.loads(result.stdout)
    return result.exit_code, {one["check"]: one for one in told["findings"]}


def verdicts(run: Run, *words: str) -> tuple[int, dict[str, str]]:
    code, told = found(run, *words)
    return code, {check: one["verdict"] for check, one in told.items()}


def made(store: Path) -> None:
    """Have a conductor make a store, and stop."""
    with Conductor(store=store, endpoint=f"ipc://{store.parent}/maker"):
        pass


def test_a_machine_where_nothing_has_run_yet_is_well(run: Run, store: Path) -> None:
    code, told = verdicts(run)

    assert code == 0
    assert told == dict.fromkeys(("settings", "store", "clock", "disk", "endpoint", "descriptors"), "ok") | {
        "descriptors": told["descriptors"]
    }
    assert not list(store.parent.iterdir()), "nothing was changed"


def test_a_store_that_can_be_opened_is_told_with_its_key(run: Run, store: Path) -> None:
    made(store)

    code, told = verdicts(run)

    assert code == 0
    assert (told["store"], told["key file"], told["clock"]) == ("ok", "ok", "ok")


def test_a_key_file_that_is_open_to_others_or_gone_is_a_problem(run: Run, store: Path) -> None:
    made(store)
    key = store.with_name("castiron.db.key")
    key.chmod(0o644)

    opened = found(run)
    key.unlink()
    gone = found(run)

    assert (opened[0], opened[1]["key file"]["verdict"]) == (1, "problem")
    assert f"chmod 600 {key}" in opened[1]["key file"]["told"]
    assert (gone[0], gone[1]["key file"]["verdict"]) == (1, "problem")


def test_a_file_that_is_no_store_is_a_problem(run: Run, store: Path) -> None:
    store.write_text("mine")

    code, told = found(run)

    assert (code, told["store"]["verdict"]) == (1, "problem")
    assert store.read_text() == "mine"


def test_a_clock_behind_the_stores_latest_event_is_a_problem(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Conductor(store=store, endpoint=f"ipc://{store.parent}/maker") as conductor:
        client = conductor.client()
        with client:
            client.nodes.create("n1", driver="fake")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)

    code, told = found(run)

    assert (code, told["clock"]["verdict"]) == (1, "problem")
    assert "ahead of this machine's clock" in told["clock"]["told"]


def test_a_wrong_setting_is_a_problem_and_the_rest_is_looked_at_all_the_same(run: Run, store: Path) -> None:
    code, told = found(run, "--set", "max_waiters=0")

    assert (code, told["settings"]["verdict"]) == (1, "problem")
    assert "max_waiters: 0 is out of bounds" in told["settings"]["told"]
    assert told["endpoint"]["verdict"] == "ok"


def test_a_conductor_that_answers_is_told(run: Run, store: Path, endpoint: str) -> None:
    with Conductor(store=store, endpoint=endpoint) as conductor:
        code, told = found(run)

        assert (code, told["endpoint"]["verdict"]) == (0, "ok")
        assert f"conductor {conductor.conductor_id} answers" in told["endpoint"]["told"]


@pytest.mark.parametrize("above", [0, 1])
def test_a_port_that_another_program_has_is_a_problem(run: Run, store: Path, above: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1] - above

        code, told = found(run, "--endpoint", f"tcp://127.0.0.1:{port}")

    assert (code, told["endpoint"]["verdict"]) == (1, "problem")
    assert "Another program has the port" in told["endpoint"]["advice"]


def test_an_address_off_this_machine_without_keys_is_a_problem(run: Run, store: Path) -> None:
    _, told = found(run, "--endpoint", "tcp://0.0.0.0:39157")

    assert told["keys"]["verdict"] == "problem"
    assert "castiron keys new --server" in told["keys"]["told"]


def test_a_secret_that_others_can_read_is_a_problem(run: Run, store: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "webhooks"
    secrets.write_text("k: correct horse")
    secrets.chmod(0o640)

    code, told = found(run, "--set", f"webhook_key_file={secrets}")

    assert (code, told["webhook_key_file"]["verdict"]) == (1, "problem")
    assert told["webhook_key_file"]["advice"] == f"chmod 600 {secrets}"


def test_people_get_a_line_each_and_a_count(run: Run, store: Path) -> None:
    result = run("doctor", "--set", "max_waiters=0")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith("problem  settings")
    assert result.stderr.startswith("castiron: problems: 1, warnings: ")


# With BMCs.


@pytest.mark.parametrize(
    ("suites", "verdict"),
    [
        ([3, 17], "ok"),
        ([0, 3, 17], "problem"),
        ([1, 2], "problem"),
        ([], "problem"),
        ([3], "warning"),
        ([6, 17], "warning"),
        (None, "warning"),
    ],
)
def test_cipher_suites_are_judged(suites: list[int] | None, verdict: str) -> None:
    assert _suites_told(suites).verdict == verdict


def at(farm: BMCFarm, number: int = 0) -> tuple[str, ...]:
    return ("--bmc", f"{farm[number].address}:{farm.port}")


def user(password: str = "password") -> tuple[str, ...]:
    return ("--driver-info", "ipmi_username=admin", "--driver-info", f"ipmi_password={password}")


def test_a_bmc_in_order_is_told_step_by_step(run: Run, farm: BMCFarm) -> None:
    code, told = found(run, *at(farm), *user())

    assert code == 0
    assert [one["verdict"] for one in told.values()] == ["ok"] * 5
    assert list(told) == ["bmc", "ipmi", "cipher suites", "login", "sessions"]
    assert told["cipher suites"]["told"] == "the BMC offers 3, 17"
    assert told["login"]["told"] == "admin is let in with cipher suite 17"


def test_no_session_is_left_behind(run: Run, farm: BMCFarm) -> None:
    for _ in range(4):  # twice as many as there are slots
        assert found(run, *at(farm), *user())[1]["login"]["verdict"] == "ok"


def test_a_bmc_without_a_free_session_is_told(run: Run) -> None:
    with BMCFarm(bmcs=1, session_slots=1) as farm:
        told = found(run, *at(farm), *user())[1]

    assert told["sessions"]["verdict"] == "warning"
    assert told["sessions"]["told"] == "1 of 1 in use, the one of this look among them: none is left."


def test_a_wrong_password_is_a_problem_and_is_not_repeated(run: Run, farm: BMCFarm) -> None:
    result = run("doctor", *at(farm), *user("correct horse"))

    assert result.exit_code == 1
    assert "refused the login" in result.stdout
    assert "correct horse" not in result.output


def test_without_a_user_the_login_is_not_tried(run: Run, farm: BMCFarm) -> None:
    code, told = found(run, *at(farm))

    assert (code, told["login"]["verdict"]) == (0, "warning")


def test_a_silent_bmc_is_a_problem(run: Run, farm: BMCFarm) -> None:
    farm[1].set_faults(Faults(silent=True))

    code, told = found(run, *at(farm, 1), *user())

    assert (code, list(told)) == (1, ["bmc"])
    assert "does not answer" in told["bmc"]["told"]


def test_an_old_suite_alone_is_a_warning(run: Run) -> None:
    with BMCFarm(bmcs=1, cipher_suites=(3,)) as farm:
        code, told = found(run, *at(farm), *user())

    assert (code, told["cipher suites"]["verdict"]) == (0, "warning")
    assert told["login"]["told"] == "admin is let in with cipher suite 3"


def test_a_name_that_nobody_has_is_a_problem(run: Run) -> None:
    code, told = found(run, "--bmc", "bmc.invalid")

    assert (code, told["bmc"]["verdict"]) == (1, "problem")


def test_a_nodes_bmc_is_asked_from_here_and_by_its_conductor(
    run: Run, farm: BMCFarm, store: Path, endpoint: str
) -> None:
    with Conductor(store=store, endpoint=endpoint) as conductor, conductor.client() as client:
        client.nodes.create("n1", driver="ipmi", driver_info=farm[0].driver_info)
        client.nodes.create("n2", driver="ipmi", driver_info=farm[1].driver_info | {"ipmi_password": "wrong"})

        well = found(run, "--node", "n1")
        ill = found(run, "--node", "n2")

    assert (well[0], well[1]["bmc"]["verdict"], well[1]["login"]["verdict"]) == (0, "ok", "warning")
    assert well[1]["conductor"]["told"] == "its own login works: boot device default"
    assert (ill[0], ill[1]["conductor"]["verdict"]) == (1, "problem")
    assert os.fspath(store) not in str(ill)
