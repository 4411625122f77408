"""The benchmarks run, on a scene as small as can be. What they find is nobody's gate."""

import json
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import others
from bench.__main__ import main
from bench.checks import cases
from bench.report import UNITS, number, unit_of
from tests.support.simulators import needs


def test_a_part_runs_and_every_figure_is_shown_and_written_with_its_unit(tmp_path: Path) -> None:
    file = tmp_path / "new" / "figures.json"

    result = CliRunner().invoke(
        main, ["parts", "--only", "power", "--nodes", "2", "--idle-seconds", "0", "--json", str(file)]
    )

    assert result.exit_code == 0, result.output
    written = json.loads(file.read_text())
    figures = written["figures"]["power"]
    assert {"cold_on_wall_s", "warm_on_confirmed_p99_ms", "warm_on_cpu_us"} <= figures.keys()
    assert all(unit_of(name)[1] for name in figures)
    assert figures["warm_on_wall_s"] > 0
    assert written["machine"]["cores"] >= 1
    assert "cold on wall" in result.output


def test_an_unknown_part_is_refused_before_anything_runs(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["parts", "--only", "power,speed", "--json", str(tmp_path / "figures.json")])

    assert result.exit_code == 2
    assert "no part speed" in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("warm_on_cpu_us", ("warm_on", "µs of CPU")),
        ("show_p99_us", ("show_p99", "µs")),
        ("commits_per_s", ("commits", "per s")),
        ("load_nodes", ("load_nodes", "")),
    ],
)
def test_the_unit_is_the_longest_ending_that_is_one(name: str, split: tuple[str, str]) -> None:
    assert unit_of(name) == split
    assert all(unit_of(f"x{ending}") == ("x", unit) for ending, unit in UNITS.items())


@pytest.mark.parametrize(("value", "text"), [(12_345.6, "12,346"), (12.34, "12.3"), (0.1234, "0.12"), (3.0, "3")])
def test_a_value_has_as_many_digits_as_it_is_worth(value: float, text: str) -> None:
    assert number(value) == text


def test_power_checks_are_measured_with_every_interval_and_share_of_silent_bmcs_only_if_asked_for() -> None:
    usual, full = cases(1_000, is_full=False), cases(1_000, is_full=True)

    assert set(usual) < set(full)
    assert {(case.interval_s, case.silent_percent) for case in full} == set(product((6, 25, 60), (0, 10, 30, 50)))
    assert {case.nodes for case in full} == {1_000, 10_000}
    assert len({case.name for case in full}) == len(full)


def test_what_others_need_for_a_check_is_measured_where_they_are() -> None:
    needs("ipmitool")

    figures = others.measure()

    assert figures["ipmitool_check_cpu_ms"] > figures["echo_cpu_us"] / 1e3 > 0
