"""`python -m bench.profiles`: where a conductor's time goes, or its memory, while it does one kind of work.

    python -m bench.profiles cpu checks      py-spy, else perf; a flame graph, or with --text its stacks as text
    python -m bench.profiles memory checks   memray; a flame graph of what is held at the most, and a summary

Files are written to bench/results/. `make profile WORK=checks` and `make profile-memory WORK=checks` run these.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

RESULTS: Final = Path(__file__).resolve().parents[1] / "results"
RATE: Final = 200
"""Samples a second: enough for one in a thousand in ten seconds, and little enough to change little."""

WORKS: Final = ("checks", "api", "power", "commits")


class Refused(click.ClickException):
    """A profiler is missing, or may not look."""


@click.group()
def main() -> None:
    """Profile a conductor at work."""


@main.command()
@click.argument("work", type=click.Choice(WORKS), default="checks")
@click.option("--nodes", default=2_000, show_default=True)
@click.option("--seconds", default=20.0, show_default=True)
@click.option("--text", is_flag=True, help="Stacks with their counts, a line each, instead of a flame graph.")
def cpu(*, work: str, nodes: int, seconds: float, text: bool) -> None:
    """Sample where a conductor's time goes."""
    from bench.profiles.stage import at_work  # noqa: PLC0415 - spawned processes load this file

    RESULTS.mkdir(exist_ok=True)
    with at_work(work, nodes) as (stage, told):
        command, file = sampler(stage.pid, seconds, RESULTS / f"profile-{work}", is_text=text)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as profiler:
            told.do(stage, seconds)
            said = "\n".join(profiler.communicate())
    if profiler.returncode:
        raise Refused(
            f"{said.strip()}\nA profiler must be allowed to look into another process: run it as root, or set "
            "kernel.yama.ptrace_scope and kernel.perf_event_paranoid to 0."
        )
    click.echo(f"written to {file}{'' if file.suffix != '.data' else '; perf report -i shows it'}")


def sampler(pid: int, seconds: float, stem: Path, *, is_text: bool) -> tuple[list[str], Path]:
    """Return the command that samples a process, and the file that it writes.

    Raises:
        Refused: neither py-spy nor perf is there.
    """
    spy = Path(sys.executable).with_name("py-spy")
    length = str(max(1, round(seconds)))
    if spy.exists():
        file = stem.with_suffix(".txt" if is_text else ".svg")
        form = "raw" if is_text else "flamegraph"
        where = ["--pid", str(pid), "--duration", length, "--rate", str(RATE), "--format", form]
        return [str(spy), "record", *where, "--threads", "--nonblocking", "--output", str(file)], file
    if perf := shutil.which("perf"):
        file = stem.with_suffix(".data")
        return [perf, "record", "-g", "-F", str(RATE), "-p", str(pid), "-o", str(file), "--", "sleep", length], file
    raise Refused("neither py-spy nor perf is there; pip install py-spy, or on Debian: apt install linux-perf")


@main.command()
@click.argument("work", type=click.Choice(WORKS), default="checks")
@click.option("--nodes", default=2_000, show_default=True)
@click.option("--seconds", default=15.0, show_default=True)
def memory(*, work: str, nodes: int, seconds: float) -> None:
    """Record what a conductor allocates, from its start to its end, and what of it is held at the most."""
    from bench.profiles.stage import at_work  # noqa: PLC0415 - spawned processes load this file

    if importlib.util.find_spec("memray") is None:
        raise Refused("memray is not there; pip install memray")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"memory-{work}.bin"
    prefix = ["-m", "memray", "run", "--quiet", "--force", "--output", str(file)]
    with at_work(work, nodes, prefix) as (stage, told):
        told.do(stage, seconds)
    page = file.with_suffix(".html")
    _memray("flamegraph", "--force", "--output", str(page), str(file))
    click.echo(_memray("stats", str(file)))
    click.echo(f"written to {page}")


def _memray(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "memray", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr.strip())
    return done.stdout


if __name__ == "__main__":
    main()
