"""The house stands as its plan says."""

import ast
import sys
from pathlib import Path

import pytest
from hypothesis import settings

import castiron
import castiron.actors

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("actors", "transport", "store", "cli")
MODULES = sorted(
    path for folder in (*FOLDERS, "castiron") for path in (ROOT / folder).rglob("*.py") if not path.is_symlink()
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
ROOMS = sorted({path.parent for path in MODULES})
MAX_LINES = 400
MAX_MODULES = 12
ATTICS = {"utils", "util", "common", "helpers", "helper", "constants", "misc"}


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_room_is_linked_into_the_package(folder: str) -> None:
    link = ROOT / "castiron" / folder

    assert link.is_symlink()
    assert link.resolve() == ROOT / folder


def test_setup_maps_the_same_rooms() -> None:
    tree = ast.parse((ROOT / "setup.py").read_text())
    assigned = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    assert assigned["FOLDERS"] == FOLDERS


def test_the_rooms_under_test_are_those_of_this_checkout() -> None:
    assert castiron.actors.__file__ is not None
    assert Path(castiron.actors.__file__).resolve() == ROOT / "actors" / "__init__.py"


def test_every_public_name_loads_and_they_are_sorted() -> None:
    assert list(castiron.__all__) == sorted(castiron.__all__)
    for name in castiron.__all__:
        assert getattr(castiron, name) is not None


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = castiron.nonsense


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=shown)
def test_a_module_fits_in_a_sitting_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()

    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), "a file is a room: its docstring says what lives there"
    assert path.stem not in ATTICS


@pytest.mark.parametrize("room", ROOMS, ids=shown)
def test_a_room_is_small_enough_to_be_seen_whole(room: Path) -> None:
    modules = [path.stem for path in room.glob("*.py") if path.stem not in {"__init__", "__main__"}]

    assert len(modules) <= MAX_MODULES, f"which second noun hides in {modules}?"


def test_the_checkout_serves_the_supported_python() -> None:
    assert sys.version_info >= (3, 11)


def test_no_example_is_judged_by_how_long_it_takes() -> None:
    assert settings().deadline is None
