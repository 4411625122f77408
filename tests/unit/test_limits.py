"""The page of limits names every bound that the code has."""

import ast
import importlib
from dataclasses import fields
from pathlib import Path

from castiron.actors.limits import BOUNDS, REPLACED
from castiron.actors.settings import Settings
from castiron.transport.errors import WIRE_ERRORS

ROOT = Path(__file__).resolve().parents[2]
NAMES = {one.what for one in BOUNDS} | set(REPLACED)
REFUSERS = {"overloaded", "_overloaded", "_crowded"}
"""Functions whose first argument is the `what` of a busy answer."""


def whats() -> set[str]:
    """Return each `what` that the code writes into the details of an error."""
    found: set[str] = set()
    for path in [*(ROOT / "actors").rglob("*.py"), *(ROOT / "transport").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                for argument in node.args[:1] if called in REFUSERS else []:
                    found |= texts(argument)
                for keyword in node.keywords:
                    if keyword.arg == "details" and isinstance(keyword.value, ast.Dict):
                        found |= of_details(keyword.value)
    return found


def of_details(details: ast.Dict) -> set[str]:
    pairs = zip(details.keys, details.values, strict=True)
    return {
        text for key, value in pairs if isinstance(key, ast.Constant) and key.value == "what" for text in texts(value)
    }


def texts(node: ast.expr) -> set[str]:
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def test_every_what_of_a_busy_answer_is_on_the_page() -> None:
    assert {"waiters", "in_flight", "open_requests", "node actor", "unread_bytes"} <= whats()
    assert whats() | {"work_rate", "read_rate"} <= NAMES


def test_every_answer_is_an_error_of_the_protocol() -> None:
    answers = {one.answer for one in BOUNDS}

    assert {answer for answer in answers if not answer.startswith("none")} <= set(WIRE_ERRORS)


def test_every_setting_that_bounds_a_number_is_on_the_page() -> None:
    bounds = {
        item.name
        for item in fields(Settings)
        if item.name.startswith(("max_", "ipmi_max_")) or item.name.endswith(("_limit", "_burst", "_per_s"))
    }

    assert bounds <= {one.limit for one in BOUNDS}


def test_every_bound_of_what_is_asked_of_a_bmc_is_on_the_page() -> None:
    fixed = {one.limit for one in BOUNDS}

    for path in (ROOT / "actors/drivers/ipmi/operations").glob("*.py"):
        module = importlib.import_module(f"castiron.actors.drivers.ipmi.operations.{path.stem}")
        own = {name: value for name, value in vars(module).items() if name.startswith("MAX_")}
        assert {name: value for name, value in own.items() if value not in fixed} == {}, path.stem
