"""What the tests of runbooks stand on: steps of a plug-in, one with a secret, and ways to make a runbook."""

from typing import Any

from castiron.actors.core.provision.catalogue import BUILT_IN, Arg, Known, catalogue_of
from castiron.actors.core.runbooks.index import RunbookIndex
from castiron.actors.core.runbooks.judging import Circumstances, judge_create
from castiron.store.records import RunbookRecord
from castiron.transport.verbs import RunbookCreate, RunbookStep
from castiron.transport.vocabulary import Instant, RunbookUUID, StepKind

HUSH = "correct-horse-battery-staple"
"""The secret that must be found nowhere."""

PASSWORD = {"user": Arg(description="whose"), "password": Arg(description="new one", required=True, is_secret=True)}
MINE = (
    Known(interface="bmc", step="set_password", description="Set it.", args=PASSWORD, is_blocking=True),
    Known(interface="raid", step="wipe", description="Wipe.", kinds=frozenset({StepKind.CLEAN}), is_blocking=True),
    Known(interface="raid", step="apply", description="Apply.", kinds=frozenset({StepKind.DEPLOY}), is_blocking=True),
)
CATALOGUE = catalogue_of(BUILT_IN, MINE)
EMPTY = RunbookIndex()


def step(which: str, /, **terms: Any) -> RunbookStep:
    interface, _, word = which.rpartition(".")
    return RunbookStep(step=word, interface=interface or None, **terms)


def secret(password: str = HUSH, **terms: Any) -> RunbookStep:
    return step("bmc.set_password", args={"user": "root", "password": password}, **terms)


def given(number: int = 1, now: float = 1000.0) -> Circumstances:
    uuid = RunbookUUID(f"00000000-0000-4000-b000-{number:012}")
    return Circumstances(uuid=uuid, now=Instant(now), catalogue=CATALOGUE)


def created(*steps: RunbookStep, name: str = "CUSTOM_A", number: int = 1, **words: Any) -> RunbookRecord:
    verb = RunbookCreate(name=name, steps=list(steps), **words)
    return judge_create(EMPTY, verb, given(number))
