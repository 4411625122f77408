"""The command as a process: pipes, terminals, Ctrl-C, and conductors that come and go."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from castiron.cli.options import UNFINISHED, Command
from castiron.cli.output.faults import Stop
from castiron.transport.verbs import NodeList, NodePowerSet, Verb
from tests.support.deadline import until
from tests.support.house import House
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.terminal import everything, on_terminal, until_shown

Spawn = Callable[..., "subprocess.Popen[str]"]
ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 20


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err


def into(output: int, *words: str) -> tuple[int, str]:
    """Run a command with its standard output somewhere; return its code and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "castiron", *words],
        cwd=ROOT,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_reader_that_went_away_ends_the_command_quietly(three: MemoryConductor) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    result = into(writer, "node", "list")

    os.close(writer)
    assert result == (141, "")


def test_a_story_whose_reader_went_away_ends_as_any_command_does() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    result = into(writer, "demo", "--story", "upkeep")

    os.close(writer)
    assert result == (141, "")


def test_output_that_was_closed_before_the_command_began_is_no_fault(three: MemoryConductor) -> None:
    words = f"exec {sys.executable} -m castiron node list >&-"
    done = subprocess.run(
        ["sh", "-c", words], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_output_that_cannot_be_written_is_told(three: MemoryConductor) -> None:
    with Path("/dev/full").open("w") as full:
        code, told = into(full.fileno(), "node", "list")

    assert code == 74
    assert told == "castiron: The output cannot be written: No space left on device.\n"


def test_a_terminal_that_cannot_show_a_character_gets_its_number(
    three: MemoryConductor, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    assert ended(spawn("node", "set", "n1", "--extra", "note=n1→n2"))[0] == 0

    code, out, _ = ended(spawn("node", "show", "n1"))

    assert code == 0
    assert "n1\\u2192n2" in out


def test_ctrl_c_while_waiting_says_what_goes_on(three: MemoryConductor, spawn: Spawn) -> None:
    three.held.add("n1")
    process = spawn("node", "power", "on", "n1", "--wait")
    until(lambda: bool(three._waiters) and any(peer.name for peer in three.requesters) and len(three.requests) == 1)
    (request_id,) = three.requests
    until(lambda: bool(three._timers))

    process.send_signal(signal.SIGINT)

    code, out, err = ended(process)
    assert (code, out) == (130, "")
    assert err == (
        f"castiron: Interrupted. Request {request_id} goes on; `castiron request abort {request_id}` ends it, "
        "`wait` waits again.\n"
    )
    assert three.requests[request_id].state == "accepted"


def test_ctrl_c_before_the_command_has_begun_is_told_by_nobody(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import signal\nprint('loading', flush=True)\nsignal.pause()\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "castiron", "node", "list"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"

    process.send_signal(signal.SIGINT)

    assert ended(process) == (-signal.SIGINT, "", ""), "which a shell calls 130"


def test_a_command_that_runs_looks_for_garbage(tmp_path: Path) -> None:
    place = tmp_path / "castiron" / "cli"
    place.mkdir(parents=True)
    code = (
        "import gc, signal; main = lambda: print(gc.isenabled(), signal.getsignal(2) is signal.default_int_handler)\n"
    )
    (place / "main.py").write_text(code)
    (place.parent / "__main__.py").write_text((ROOT / "castiron" / "__main__.py").read_text())

    done = subprocess.run(
        [sys.executable, "-m", "castiron"], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )

    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_ctrl_c_says_what_may_go_on(three: MemoryConductor, spawn: Spawn) -> None:
    assert three.nodes
    process = spawn("node", "create", "-f", "-")
    assert process.stdin is not None
    process.stdin.write(" " * 500_000)  # more than a pipe holds: it has been reading when this is done

    process.send_signal(signal.SIGINT)

    code, out, err = ended(process)
    assert (code, out) == (130, "")
    assert "Interrupted. What was sent may have been accepted, and goes on: look with `castiron request list`.\n" in err


def test_ctrl_c_while_a_drain_is_waited_for_says_that_it_goes_on(three: MemoryConductor, spawn: Spawn) -> None:
    three.held.add("n1")
    assert ended(spawn("node", "power", "on", "n1"))[0] == 0
    process = spawn("drain", "--wait")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("castiron: 1 request left")

    process.send_signal(signal.SIGINT)

    code, _, err = ended(process)
    assert code == 130
    assert err.endswith("castiron: Interrupted. The conductor goes on draining; `castiron drain --undo` ends that.\n")
    assert three.drained_by is not None


@pytest.mark.parametrize(
    ("verbs", "told"),
    [((), "Interrupted."), ((NodeList,), "Interrupted."), ((NodeList, NodePowerSet), f"Interrupted. {UNFINISHED}")],
)
def test_what_changes_nothing_leaves_nothing_that_may_go_on(verbs: tuple[type[Verb], ...], told: str) -> None:
    @click.command("one", cls=Command, verbs=verbs, help="One.")
    def one() -> None:
        raise KeyboardInterrupt

    with pytest.raises(Stop) as stopped:
        one.main([], standalone_mode=False)

    assert (stopped.value.message, stopped.value.code) == (told, 130)


def test_a_wait_lives_through_a_restart_of_the_conductor(house: House, three: MemoryConductor, spawn: Spawn) -> None:
    three.held.add("n1")
    process = spawn("node", "power", "on", "n1", "--wait")
    until(lambda: bool(three._timers))
    assert house.door.stop(5.0)
    three.let_go("n1")

    successor = House(house.endpoint, three)
    try:
        code, out, err = ended(process)
    finally:
        assert successor.door.stop(5.0)

    assert (code, out) == (0, "n1: power on\n")
    assert err.count("\n") == 1
    assert "Waiting for it to come back" in err


def test_a_conductor_that_stays_away_is_told_with_the_request(
    house: House, three: MemoryConductor, spawn: Spawn
) -> None:
    three.held |= {"n1"}
    process = spawn("node", "power", "on", "n1", "--wait", "--timeout", "1.5")
    until(lambda: bool(three._timers))
    began_at = time.monotonic()
    assert house.door.stop(5.0)

    code, out, err = ended(process)

    assert time.monotonic() - began_at < 4, "the time that was given, and not the time-out of a greeting"

    (request_id,) = three.requests
    assert (code, out) == (69, "")
    assert f"Request {request_id} was accepted, and goes on once a conductor runs there." in err
    assert "Traceback" not in err


def test_a_conductor_lost_among_many_nodes_is_told_for_those_of_which_nothing_was_heard(
    house: House, three: MemoryConductor, spawn: Spawn
) -> None:
    three.held |= {"n2", "n3"}
    process = spawn("node", "power", "on", "n[1-3]", "--wait", "--timeout", "3", "--format", "json")
    until(lambda: sum(one.state == "succeeded" for one in three.requests.values()) == 1)
    until(lambda: len(three.requests) == 3)

    assert house.door.stop(5.0)

    code, out, err = ended(process)
    errors = {one["node"]: one["error"] for one in json.loads(out)["nodes"]}
    assert code in {69, 75}
    assert err.splitlines()[-1] == "castiron: 2 of 3 failed."
    assert errors["n1"] is None
    assert {errors[name]["code"] for name in ("n2", "n3")} <= {"conductor.lost", "reply.timeout"}


def test_a_bulk_that_is_interrupted_starts_no_further_machines(three: MemoryConductor, spawn: Spawn) -> None:
    three.slow |= {"n1", "n2", "n3"}
    process = spawn("node", "power", "on", "n[1-3]", "--wait", "--batch", "1")
    until(lambda: len(three.requests) == 1 and bool(three.bulks))

    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)

    assert (code, out) == (130, "")
    assert "Interrupted. 0 of 3 had ended, 1 go on, 2 were not started." in err
    three.let_go("n1")
    until(lambda: not three.bulks)
    assert len(three.requests) == 1


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_progress_is_drawn_on_a_terminal_and_leaves_nothing_behind(three: MemoryConductor) -> None:
    three.held |= {"n1"}

    with on_terminal("node", "power", "on", "n1", "--wait", streams=("stderr",)) as (process, terminal):
        seen = until_shown(terminal, "0 of 1 ended; ")
        three.let_go("n1")
        seen += everything(terminal)
        assert process.stdout is not None
        assert process.stdout.read() == "n1: power on\n"

    assert process.returncode == 0
    assert seen.endswith("\r\x1b[K")
    assert "\n" not in seen, "one line, rewritten"


def test_on_a_terminal_that_cannot_be_drawn_on_lines_are_written_instead(three: MemoryConductor) -> None:
    assert three.nodes
    with on_terminal("top", term="dumb") as (process, terminal):
        refused = everything(terminal)
    with on_terminal("status", "--watch", "0.5", term="dumb") as (watching, terminal):
        seen = until_shown(terminal, "\n")

    assert process.returncode == 64
    assert "castiron status --watch" in refused
    assert watching.returncode is not None
    assert "\x1b[" not in seen


def test_a_table_on_a_narrow_terminal_keeps_names_whole(three: MemoryConductor) -> None:
    with on_terminal("node", "list", "--long", columns=60) as (process, terminal):
        seen = plain(everything(terminal))

    assert process.returncode == 0
    lines = seen.replace("\r", "").splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert [line.split()[0] for line in lines if re.match(r"n\d", line)] == ["n1", "n2", "n3"]


def test_a_table_on_a_terminal_shows_states_in_colour(three: MemoryConductor) -> None:
    with on_terminal("node", "list", columns=120) as (_, terminal):
        seen = everything(terminal)

    assert "\x1b[" in seen
    assert "power off" in plain(seen)


def test_a_secret_that_is_asked_for_is_not_echoed(house: House) -> None:
    words = ("node", "create", "n1", "--driver-info", "ipmi_password=-")
    with on_terminal(*words) as (process, terminal):
        seen = until_shown(terminal, "ipmi_password: ")
        os.write(terminal, b"correct horse\n")
        seen += everything(terminal)

    assert process.returncode == 0
    assert "correct horse" not in seen
    (node,) = house.conductor.nodes.values()
    assert node.driver_info == {"ipmi_password": "correct horse"}


INSTALLED = {"castiron", "click", "msgpack", "msgspec", "typing_extensions", "zmq"}
"""What is neither Python's nor loaded by every interpreter here: each name more is milliseconds at every command."""

FORBIDDEN = (
    *("asyncio", "concurrent", "email", "http", "secrets", "sqlite3", "subprocess", "zmq.auth", "tomllib"),
    *("castiron.actors", "castiron.store", "castiron.cli.orders", "castiron.cli.provision", "castiron.cli.inventory"),
    *("castiron.cli.logs", "castiron.cli.configuration", "castiron.cli.health", "castiron.testing"),
)

LOADED = f"""
import sys
before = {{name.partition(".")[0] for name in sys.modules}}
from castiron.cli.main import main
try:
    main(sys.argv[1:])
finally:
    ours = set(sys.stdlib_module_names) | before
    tops = {{name.partition(".")[0] for name in sys.modules}} - ours
    files = {{one for one in tops if getattr(sys.modules[one], "__file__", None)}}
    print(sorted(one for one in files if not one.startswith("_")), file=sys.stderr)
    print([one for one in {FORBIDDEN!r} if one in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words", [("node", "list"), ("node", "show", "n1"), ("request", "list"), ("status",), ("ping",)]
)
def test_a_read_into_a_pipe_loads_nothing_that_it_does_not_need(three: MemoryConductor, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, f"{sorted(INSTALLED)}\n[]\n")
