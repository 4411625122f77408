"""Periodic tasks on eight workers, a tenth of them blocking for a whole spacing: castiron's worker, and Futurist's.

Each in a process of its own, with the same tasks. Futurist's healthy tasks run late by more with each round, so it is
watched for longer, and once in a run: it is the measure, not what is measured.
"""

from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from bench.apart import apart
from bench.periodics import Course, castirons, futurists, watched
from bench.rows.sizes import Size


def measure(size: Size) -> dict[str, float]:
    """Return castiron's figures by name."""
    return _apart(_serve_castiron, _course(size, size.spells * size.spacing_s))


def measure_peer(size: Size) -> dict[str, float]:
    """Return Futurist's figures by name."""
    return _apart(_serve_futurist, _course(size, size.futurist_s))


def _course(size: Size, watch_s: float) -> Course:
    return Course(tasks=size.tasks, blocking=size.tasks // 10, spacing_s=size.spacing_s, watch_s=watch_s)


def _apart(serve: Callable[..., None], course: Course) -> dict[str, float]:
    with apart(serve, course) as process:
        figures: dict[str, float] = process.ready
        return figures


def _serve_castiron(pipe: "Connection[Any, Any]", course: Course) -> None:
    pipe.send(watched(course, castirons))


def _serve_futurist(pipe: "Connection[Any, Any]", course: Course) -> None:
    pipe.send(watched(course, futurists))
