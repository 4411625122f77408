"""What users install: a wheel, in an environment of its own, far from the checkout."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINUTES_S = 300


def run(*command: str | Path, cwd: Path) -> str:
    clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(command, check=False, cwd=cwd, env=clean, capture_output=True, text=True, timeout=MINUTES_S)
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what git tracks or would track, so that nothing lying about gets in."""
    source = tmp_path_factory.mktemp("source") / "castiron"
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        origin, copy = ROOT / name, source / name
        if origin.is_symlink() or origin.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, copy, follow_symlinks=False)
    return source


@pytest.fixture(scope="module")
def dist(source: Path) -> Path:
    """Build the sdist, and the wheel from what is in it."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", source / "dist", source, cwd=source)
    return source / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


def test_the_wheel_holds_castiron_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}

    assert tops == {"castiron", "castiron-0.1.0.data"}
    shared = {name.partition("/data/share/")[2] for name in names if "/data/share/" in name}
    assert {"man/man1/castiron.1", "man/man5/castiron.toml.5", "doc/castiron/deploy/castiron.service"} <= shared
    data = {"castiron/py.typed", "castiron/transport/PROTOCOL.md", "castiron/transport/states.txt"}
    data |= {f"castiron/cli/web/page/{path.name}" for path in (ROOT / "cli" / "web" / "page").iterdir()}
    assert {*data, "castiron/testing/__init__.py"} <= set(names)


def test_every_module_of_the_checkout_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    rooms = [(ROOT / room, f"castiron/{room}") for room in ("actors", "cli", "store", "transport")]
    rooms.append((ROOT / "castiron" / "testing", "castiron/testing"))
    wanted = {
        f"{prefix}/{path.relative_to(folder).as_posix()}" for folder, prefix in rooms for path in folder.rglob("*.py")
    }

    assert wanted <= names


def test_the_sdist_has_what_it_takes_to_build_to_deploy_and_to_read(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "deploy").rglob("*") if path.is_file()}
    assert wanted | {"LICENSE", "CHANGELOG.md", "transport/PROTOCOL.md", "docs/guides/operating.md"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests", "bench", "."))]


def test_what_is_uploaded_passes_the_index_s_check(dist: Path) -> None:
    pytest.importorskip("twine")

    told = run(sys.executable, "-m", "twine", "check", "--strict", *sorted(dist.iterdir()), cwd=dist)

    assert told.count("PASSED") == 2


def test_the_commands_and_the_plug_in_are_found_by_their_names(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        (name,) = [name for name in opened.namelist() if name.endswith(".dist-info/entry_points.txt")]
        points = opened.read(name).decode()

    assert "[console_scripts]\ncastiron = castiron.__main__:main\n" in points
    assert "[pytest11]\ncastiron.testing.plugin = castiron.testing.plugin\n" in points


@pytest.mark.timeout(MINUTES_S)
def test_an_installed_castiron_knows_its_version_and_tells_the_whole_story(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / "bin" / "python"
    locked = ROOT / "requirements" / "run.txt"
    run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", locked, cwd=tmp_path)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=tmp_path)

    castiron = tmp_path / "fresh" / "bin" / "castiron"

    assert run(castiron, "--version", cwd=tmp_path).strip().endswith("0.1.0")
    assert "--fields" in run(castiron, "node", "list", "--help", cwd=tmp_path)
    assert (tmp_path / "fresh" / "share" / "man" / "man1" / "castiron.1").is_file()
    read = (
        "from importlib.resources import files; print(files('castiron.transport').joinpath('PROTOCOL.md').read_text())"
    )
    assert run(python, "-c", read, cwd=tmp_path).startswith("# ")
    told = run(castiron, "demo", cwd=tmp_path)
    assert "Every step held." in told
    for line in shown_in_the_readme():
        assert without_figures(line) in without_figures(told)


def shown_in_the_readme() -> list[str]:
    """Return the lines of the story that the README shows."""
    blocks: list[str] = re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (story,) = [block for block in blocks if "SIGKILL" in block]
    return [line for line in story.splitlines() if line != "…"]


def without_figures(story: str) -> str:
    """Return it without the numbers and the breaks of lines, which differ from one time to the next."""
    return " ".join(re.sub(r"[\d.]+", "#", story).split())
