"""What a person sees while machines are waited for: each node that is not done, and in the end the result alone."""

import sys

import pytest

from tests.support.deadline import until
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.conftest import Run
from tests.unit.cli.screen import Screen


def typed(*words: str) -> list[str]:
    return [sys.executable, "-m", "castiron", *words]


def test_each_node_that_is_not_done_has_its_line(three: MemoryConductor, endpoint: str) -> None:
    three.held |= {"n2", "n3"}

    with Screen(typed("node", "power", "on", "n[1-3]", "--wait"), {"CASTIRON_ENDPOINT": endpoint}) as screen:
        screen.until("1 of 3 ended")
        seen = screen.until("n3")
        assert [line.split()[:2] for line in seen.splitlines()[1:3]] == [["n2", "running"], ["n3", "running"]]
        three.let_go("n2")
        screen.until("2 of 3 ended")
        three.let_go("n3")
        code = screen.ended()

    assert (code, screen.text()) == (0, "n[1-3]: power on"), "the drawing is gone"


def test_requests_that_are_waited_for_show_their_steps(three: MemoryConductor, endpoint: str) -> None:
    three.held |= {"n1", "n2"}
    with Screen(typed("node", "power", "on", "n[1-2]"), {"CASTIRON_ENDPOINT": endpoint}) as screen:
        assert screen.ended() == 0
    ids = [view.id for view in three.requests.values()]

    with Screen(typed("request", "wait", *ids), {"CASTIRON_ENDPOINT": endpoint}) as screen:
        until(lambda: bool(three._waiters))
        three.let_go("n1")
        screen.until("1 of 2 ended")
        screen.until("n2")
        three.let_go("n2")
        assert screen.ended() == 0

    assert "ended" not in screen.text()


@pytest.mark.parametrize("lines", [6, 30])
def test_of_many_nodes_as_many_are_shown_as_there_is_room_for(
    run: Run, three: MemoryConductor, endpoint: str, lines: int
) -> None:
    for number in range(4, 21):
        assert run("node", "create", f"n{number}").exit_code == 0
    three.held |= {f"n{number}" for number in range(1, 21)}

    with Screen(
        typed("node", "power", "on", "n[1-20]", "--wait", "--yes"), {"CASTIRON_ENDPOINT": endpoint}, lines=lines
    ) as screen:
        shown = 2 if lines == 6 else 12
        screen.until(f"and {20 - shown} more")
        screen.interrupt()
        code = screen.ended()

    assert code == 130
    assert "Interrupted." in screen.text()
    assert "0 of 20 ended" not in screen.text()
