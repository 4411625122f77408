"""The table of targets: what it judges, what it shows, and that the page has what was measured."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.__main__ import main
from bench.rows.parts import PARTS, Part, derived
from bench.rows.sizes import FULL, QUICK, Size
from bench.targets import page, recording, running
from bench.targets.judging import judge, missed
from bench.targets.recording import Run
from bench.targets.table import TARGETS, Beside, Better, Peer, Target

DOCS = Path(__file__).resolve().parents[3] / "docs"
MACHINE = {"processor": "abacus", "cores": 2, "memory_gb": 24.0, "system": "Linux", "python": "3.11", "load_average": 0}


def a_run(figures: Mapping[str, Mapping[str, list[float]]] | None = None, **fields: object) -> Run:
    made = {part: dict(found) for part, found in (figures or {}).items()}
    told = {"at": "2026-01-01T00-00-00Z", "size": "full", "repeats": 3, "machine": MACHINE, "figures": made}
    return Run(**{**told, **fields})  # type: ignore[arg-type]  # each has its type


def a_target(limit: float | Beside | None, better: Better = Better.LOW) -> Target:
    return Target(row="row", what="what", figure="part.it_ms", unit="ms", limit=limit, better=better)


@pytest.mark.parametrize(
    ("better", "values", "is_met", "words"),
    [
        (Better.LOW, [9.0, 10.0, 99.0], True, "met"),
        (Better.LOW, [1.0, 12.0, 13.0], False, "by 20 %"),
        (Better.LOW, [35.0], False, "3.50 times the limit"),
        (Better.HIGH, [10.0, 11.0, 1.0], True, "met"),
        (Better.HIGH, [4.0, 1.0, 40.0], False, "by 60 %"),
    ],
)
def test_the_median_of_the_repeats_is_judged(better: Better, values: list[float], is_met: bool, words: str) -> None:
    verdict = judge(a_target(10.0, better), {"part": {"it_ms": values}})

    assert (verdict.is_met, verdict.words) == (is_met, words)
    assert verdict.spread is not None
    assert (verdict.spread.least, verdict.spread.most) == (min(values), max(values))


def test_what_was_not_measured_is_said_to_be_unknown() -> None:
    verdict = judge(a_target(10.0), {"part": {"other": [1.0]}})

    assert (verdict.is_met, verdict.words) == (None, "not measured")


def test_a_target_without_a_limit_is_told_and_not_judged() -> None:
    verdict = judge(a_target(None), {"part": {"it_ms": [1.0]}})

    assert (verdict.is_met, verdict.words) == (None, "")


def test_a_limit_may_hang_on_another_figure_of_the_run() -> None:
    target = a_target(Beside(figure="calm.late_ms", times=1.1, plus=5.0))

    assert judge(target, {"part": {"it_ms": [15.9]}, "calm": {"late_ms": [10.0]}}).is_met
    assert judge(target, {"part": {"it_ms": [16.1]}, "calm": {"late_ms": [10.0]}}).is_met is False
    alone = judge(target, {"part": {"it_ms": [1.0]}})
    assert (alone.is_met, alone.words) == (None, "no measure")


def test_of_what_must_not_be_at_all_the_count_is_told() -> None:
    assert missed(3.0, 0) == "3 too many"


def test_each_target_names_a_part_that_there_is_and_no_figure_twice() -> None:
    parts = {*PARTS, "memory"}
    named = [target.figure for target in TARGETS]
    others = [target.limit.figure for target in TARGETS if isinstance(target.limit, Beside)]
    others += [peer.figure for target in TARGETS for peer in target.peers if peer.figure is not None]

    assert {name.partition(".")[0] for name in (*named, *others)} <= parts
    assert len(set(named)) == len(named)
    assert all((peer.figure is None) is (peer.quoted is not None) for target in TARGETS for peer in target.peers)


def test_a_row_shows_target_figure_spread_verdict_and_how_many_times_the_peer_it_is() -> None:
    figures = {
        "every_6s": {"check_cpu_ms": [0.15, 0.2, 0.3]},
        "others": {"ipmipower_check_cpu_ms": [0.4], "ipmitool_check_cpu_ms": [20.0]},
    }

    cells = next(cells for cells in page.rows(a_run(figures)) if cells[1] == "CPU per check")

    assert cells[2:6] == ("≤ 0.10 ms", "0.20 ms", "0.15 to 0.30", "by 100 %")
    assert "0.50 times ipmipower (0.40 ms)" in cells[6]
    assert "Ironic (44 ms, quoted)" in cells[6]


def test_every_target_is_in_the_table_and_the_sum_is_told() -> None:
    run = a_run({"every_6s": {"check_cpu_ms": [0.05], "answers_s": [2.0]}}, failed={"fakes": ["TimeoutError: late"]})

    text = page.markdown(run)

    sums = f"1 of 2 targets met ({len(TARGETS) - 2} figures were not measured), in a full run, each figure 3 times"
    assert text.startswith(sums)
    assert "fakes has failed: TimeoutError: late" in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == len(TARGETS) + 2
    assert text.count("| not measured |") == len(TARGETS) - 2


def test_the_page_has_the_table_of_the_run_beside_it() -> None:
    """`python -m bench table RUN.json --into docs/performance.md` writes both."""
    text = (DOCS / "performance.md").read_text()

    assert page.filled(text, recording.read(DOCS / "performance.json")) == text


def test_a_run_is_put_into_a_page_and_beside_it(tmp_path: Path) -> None:
    here, source = tmp_path / "page.md", tmp_path / "run.json"
    here.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    recording.write(source, a_run({"every_6s": {"check_cpu_ms": [0.05]}}))

    result = CliRunner().invoke(main, ["table", str(source), "--into", str(here)])

    assert result.exit_code == 0, result.output
    text = here.read_text()
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "0.05 ms" in text
    assert page.filled(text, recording.read(tmp_path / "page.json")) == text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"at": 1, "colour": 2}'])
def test_what_is_no_run_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)

    result = CliRunner().invoke(main, ["table", str(file)])

    assert result.exit_code == 1
    assert "other.json is no run" in result.output


def test_a_page_without_a_place_is_left_alone(tmp_path: Path) -> None:
    here, source = tmp_path / "page.md", tmp_path / "run.json"
    here.write_text("nothing")
    recording.write(source, a_run())

    result = CliRunner().invoke(main, ["table", str(source), "--into", str(here)])

    assert result.exit_code == 1
    assert here.read_text() == "nothing"


def test_each_part_is_repeated_in_turn_and_one_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    ran: list[str] = []

    def part(name: str, value: float) -> Part:
        def measure(_: Size) -> dict[str, float]:
            ran.append(name)
            if name == "bad":
                raise RuntimeError("no luck")
            return {"it_ms": value}

        return Part(measure, is_once=name == "peer")

    run, file = a_run(repeats=2), tmp_path / "run.json"
    known = {name: part(name, value) for name, value in (("a", 1.0), ("bad", 2.0), ("peer", 3.0))}

    running.run_all(run, list(known), file, lambda _: None, known)

    assert ran == ["a", "bad", "peer", "a", "bad"]
    written = recording.read(file)
    assert written.figures == {"a": {"it_ms": [1.0, 1.0]}, "peer": {"it_ms": [3.0]}}
    assert written.failed == {"bad": ["RuntimeError: no luck"] * 2}
    assert len(written.took_s["a"]) == 2


def test_the_memory_of_a_session_is_what_a_fleet_has_more_than_nothing() -> None:
    figures = {"every_6s": {"rss_mb": 160.0}, "idle": {"empty_mb": 40.0}}

    assert derived(figures, FULL) == {"session_node_kb": 12.0}
    assert derived({"idle": {"empty_mb": 40.0}}, FULL) == {}


def test_a_quick_run_is_smaller_and_leaves_parts_out() -> None:
    assert QUICK.nodes < FULL.nodes == 10_000
    assert FULL.fake_nodes == 100_000
    assert set(running.usual("quick")) < set(running.usual("full")) == set(PARTS)


def test_an_unknown_part_of_the_table_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["targets", "--only", "idle,speed", "--json", str(tmp_path / "run.json")])

    assert result.exit_code == 2
    assert "no part speed" in result.output


def test_a_quoted_peer_is_marked_as_one() -> None:
    target = Target(
        row="row", what="what", figure="part.it_ms", unit="ms", limit=1.0, peers=(Peer(name="X", quoted=4.0),)
    )

    assert page.peers(judge(target, {"part": {"it_ms": [2.0]}}), {}) == "0.50 times X (4 ms, quoted)"
