"""What the README shows is true: its example runs as it stands, its commands and its links exist."""

import json
import re
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
MEASURED = json.loads((ROOT / "docs" / "performance.json").read_text())["figures"]

CLAIMS = (
    ("under 0.3 ms", "every_6s_real", "check_cpu_ms", 0.3),
    ("under 9 % of a core", "every_25s", "cpu_percent", 9),
    ("late by under 10 ms at p99", "silent_10", "late_p99_ms", 10),
    ("under 210 MB with 10,000 nodes", "every_6s_real", "rss_mb", 210),
    ("under 5 ms;", "single", "at_once_p50_ms", 5),
    ("under 0.5 s if the BMC is as slow as real ones", "single", "real_p50_ms", 500),
    ("95 % of them in under 40 s", "every_6s_real", "power_all_s", 40),
    ("10,000 nodes answer in under 1.5 s", "every_6s", "answers_s", 1.5),
)
"""What the README says, and the figure of docs/performance.json that it stands on."""


@pytest.mark.parametrize(("words", "part", "figure", "bound"), CLAIMS)
def test_what_it_claims_was_measured(words: str, part: str, figure: str, bound: float) -> None:
    assert words in README
    assert median(MEASURED[part][figure]) <= bound


def test_all_that_were_told_to_be_confirmed_were() -> None:
    assert "all confirmed" in README
    assert {*MEASURED["every_25s"]["power_all_failed"], *MEASURED["every_6s_real"]["power_all_failed"]} == {0}


def test_the_example_runs_as_it_stands() -> None:
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)

    assert example is not None
    exec(compile(example[1], "README.md", "exec"), {})


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^make (\w+)$", README, re.MULTILINE))))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
