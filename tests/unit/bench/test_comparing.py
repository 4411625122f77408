"""Two runs beside each other: what changed is told apart from what only moves."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.__main__ import main
from bench.targets import recording
from bench.targets.comparing import compare, direction, notes
from bench.targets.table import Better
from tests.unit.bench.test_targets import a_run

CPU = "every_6s.check_cpu_ms"


def ran(*values: float) -> dict[str, dict[str, list[float]]]:
    return {"every_6s": {"check_cpu_ms": list(values)}}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ((1.0, 1.1, 1.2), (0.7, 0.8, 0.9), "better"),
        ((1.0, 1.1, 1.2), (1.3, 1.4, 1.5), "worse"),
        ((1.0, 1.1, 1.2), (0.8, 0.9, 1.05), ""),
        ((1.0, 1.1, 1.2), (1.0, 1.1, 1.2), ""),
        ((1.0, 1.1, 1.4), (1.2, 1.3, 1.5), ""),
        ((1.0,), (2.0,), ""),
    ],
)
def test_a_change_is_marked_only_where_no_repeats_overlap(
    before: tuple[float, ...], after: tuple[float, ...], words: str
) -> None:
    [change] = compare(ran(*before), ran(*after))

    assert (change.name, change.words) == (CPU, words)


def test_the_ratio_is_that_of_the_medians() -> None:
    [change] = compare(ran(1.0, 2.0, 9.0), ran(0.5, 3.0, 3.5))

    assert change.ratio == 1.5


def test_more_is_better_where_the_target_says_so_or_the_unit_does() -> None:
    assert direction("trips.accept_per_s") is Better.HIGH
    assert direction("trips.echo_per_s") is Better.HIGH
    assert direction(CPU) is Better.LOW
    assert direction("store.load_ms") is Better.LOW


def test_figures_that_only_one_run_has_are_left_out_and_all_can_be_asked_for() -> None:
    before = {"every_6s": {"check_cpu_ms": [1.0], "gone_ms": [1.0], "rest_ms": [0.0]}}
    after = {"every_6s": {"check_cpu_ms": [1.0], "new_ms": [1.0], "rest_ms": [0.0]}}

    assert [change.name for change in compare(before, after)] == [CPU]
    changes = compare(before, after, is_whole=True)
    assert [change.name for change in changes] == [CPU, "every_6s.rest_ms"]
    assert changes[1].ratio is None


def test_what_makes_runs_hard_to_compare_is_said() -> None:
    other = {**a_run().machine, "python": "3.13"}

    assert list(notes(a_run(), a_run())) == []
    told = " ".join(notes(a_run(), a_run(size="quick", repeats=1, machine=other)))
    assert "different sizes" in told
    assert "single repeat" in told
    assert "different machines" in told


def test_two_files_are_compared(tmp_path: Path) -> None:
    for name, values in (("a", [1.0, 1.1, 1.2]), ("b", [0.4, 0.55, 0.6])):
        recording.write(tmp_path / f"{name}.json", a_run(ran(*values)))

    result = CliRunner().invoke(main, ["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])

    assert result.exit_code == 0, result.output
    [line] = [line for line in result.output.splitlines() if CPU in line]
    assert "0.50" in line
    assert "better" in line
