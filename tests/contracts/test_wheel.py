"""What users install: a wheel, in an environment of its own, far from the checkout."""

import os
import shutil
import subprocess
import sys
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
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy of what git tracks or would track, so that nothing lying about gets in."""
    source = tmp_path_factory.mktemp("source") / "castiron"
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        origin, copy = ROOT / name, source / name
        if origin.is_symlink() or origin.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, copy, follow_symlinks=False)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", source, cwd=source)
    return next((source / "dist").glob("*.whl"))


def test_the_wheel_holds_castiron_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}

    assert tops == {"castiron"}
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


@pytest.mark.timeout(MINUTES_S)
def test_an_installed_castiron_knows_its_version_and_tells_the_whole_story(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / "bin" / "python"
    locked = ROOT / "requirements" / "run.txt"
    run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", locked, cwd=tmp_path)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=tmp_path)

    castiron = tmp_path / "fresh" / "bin" / "castiron"

    assert run(castiron, "--version", cwd=tmp_path).strip().endswith("0.1.0")
    assert "Every step held." in run(castiron, "demo", cwd=tmp_path)
