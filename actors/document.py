"""The tables of docs/power.md, provisioning.md, guides/settings.md and other pages, made from the code.

    python -m castiron.actors.document docs/power.md

rewrites what stands between a table's marks and leaves the words around it alone; a test keeps the page in step. May
come in: a table of another machine. Must not: prose that no table yields.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

from castiron.actors.core.machines.legs import LEGS, TRANSITIONS, WANTED, Do, Happening, Phase, Rule
from castiron.actors.core.machines.pace import PACES
from castiron.actors.core.provision.catalogue import BUILT_IN, KIND_WORDS, RESERVED, Arg
from castiron.actors.core.provision.courses import EVENTS_OF, stages_of
from castiron.actors.core.provision.planning import BY_ITSELF, Own
from castiron.actors.core.provision.states import ABORTS, after
from castiron.actors.core.provision.states import TARGETS as PROVISION_TARGETS
from castiron.actors.core.provision.states import TRANSITIONS as PROVISIONS
from castiron.actors.core.provision.takeover import TAKEOVER, Nature
from castiron.actors.core.requests.compatibility import (
    ADMITTANCE,
    HINDRANCES,
    MEETINGS,
    POLICIES,
    Condition,
    displacing,
)
from castiron.actors.core.requests.guards import GUARDS
from castiron.actors.core.requests.obstacles import UNDER_WAY, targets_of
from castiron.actors.diagram import kind_of
from castiron.actors.limits import BOUNDS, REPLACED
from castiron.actors.metrics.prometheus import catalogue, single
from castiron.actors.settings import Settings, bounds_in_words, default_in_words
from castiron.transport.vocabulary import CheckResult, ProvisionEvent, ProvisionState, ProvisionTarget

PHASES: Final[Mapping[Phase, str]] = {
    Phase.LOOK: "looking",
    Phase.SEND: "sending",
    Phase.UNSURE: "unsure",
    Phase.CONFIRM: "confirming",
}

HAPPENINGS: Final[Mapping[Happening, str]] = {
    Happening.SAW_WANTED: "the BMC reports the wanted state",
    Happening.SAW_OTHER: "the BMC reports the other state",
    Happening.SETTLED: "the BMC still reports the other state after the settling time, and the control is not soft off",
    Happening.NO_ANSWER: "no answer, or busy; nothing was applied",
    Happening.REFUSED: "refused for good; nothing was applied",
    Happening.ACKNOWLEDGED: "the BMC took the control",
    Happening.UNANSWERED: "the control was sent and not answered",
    Happening.TIMED_OUT: "the time is over",
    Happening.SOFT_TIMED_OUT: "the time of a soft power off is over, and `hard_fallback` was asked for",
}

RESULTS: Final[Mapping[CheckResult, str]] = {
    CheckResult.AGREED: "the machine is in the power state on record; nothing is written",
    CheckResult.CORRECTED: "it is not, and the record follows it: `node.power_state_corrected.success`",
    CheckResult.FORCED: "it is not, and is driven back by a request of its own, from `power check`",
    CheckResult.FAILED: "its BMC gave no power state",
    CheckResult.FAULTED: "the same, or it would not stay where it was driven, once too often: `node.fault_set.success`",
    CheckResult.RECOVERED: "the BMC of a node with the fault `power failure` answered: `node.fault_cleared.success`",
    CheckResult.SKIPPED: "a request looks at the machine itself, or came while the check was under way; "
    "or its time was over before the BMC could be asked",
}

ORDERS: Final[Mapping[Do, str]] = {
    Do.READ: "read the state",
    Do.READ_LATER: "read the state after a wait",
    Do.SEND: "send the control",
    Do.FORCE: "give soft off up for off, with fresh time; read the state",
    Do.NEXT_LEG: "send the next control; after the last, succeed",
    Do.FAIL: "fail, and say what was applied",
}

TIMES: Final = (
    "power_state_change_timeout_s",
    "soft_power_off_timeout_s",
    "command_timeout_s",
    "unknown_outcome_settle_s",
    "power_poll_initial_s",
    "power_poll_max_s",
)
"""Settings that a power action goes by."""

CHECKS: Final = (
    "sync_power_state_interval_s",
    "power_check_start_spread_s",
    "power_check_after_action_s",
    "power_check_backoff_max_s",
    "power_state_sync_max_retries",
    "power_failure_recovery_interval_s",
    "force_power_state_during_sync",
    "power_check_in_maintenance",
    "command_timeout_s",
)
"""Settings that power checks go by."""

PACING: Final = tuple(item.name for item in fields(Settings) if item.name.startswith("ipmi_max_"))
"""Settings that bound what is asked of IPMI BMCs."""


def controls() -> str:
    """Return which controls lead to which target."""
    rows = (
        (f"`{target}`", ", then ".join(f"{control} until `{WANTED[control]}` is seen" for control in legs))
        for target, legs in LEGS.items()
    )
    return _table(("target", "what is sent"), rows)


def rules() -> str:
    """Return every rule of a leg."""
    rows = (
        (PHASES[phase], HAPPENINGS[happening], ORDERS[rule.do], _then(rule), rule.why)
        for (phase, happening), rule in TRANSITIONS.items()
    )
    return _table(("while it is", "and this happens", "castiron will", "and is then", "because"), rows)


def paces() -> str:
    """Return how often nodes are checked, and when."""
    return _table(("pace", "when"), ((f"`{pace}`", row.meaning) for pace, row in PACES.items()))


def results() -> str:
    """Return what a power check can come to."""
    return _table(("result", "what it means"), ((f"`{result}`", RESULTS[result]) for result in CheckResult))


def displacements() -> str:
    """Return which moves end the one of a node that waits."""
    waiting = [state for state in PROVISION_TARGETS if displacing(state) and state in UNDER_WAY]
    rows = ((f"`{state}`", ", ".join(f"`{target}`" for target in displacing(state))) for state in waiting)
    return _table(("the node is", "what ends its move, and begins"), rows)


def meetings() -> str:
    """Return what each verb is to each other one."""
    rows = (
        (f"`{asked}`", f"`{other}`", row.equal.value, row.other.value, row.why)
        for (asked, other), row in MEETINGS.items()
    )
    return _table(("asked for", "not ended yet", "if they want the same", "if not", "because"), rows)


def policies() -> str:
    """Return what each policy makes of a conflict."""
    rows = (
        (f"`{policy}`", "has started" if has_started else "waits", rule.turn.value, rule.why)
        for (policy, has_started), rule in POLICIES.items()
    )
    return _table(("policy", "the other one", "castiron will", "because"), rows)


def hindrances() -> str:
    """Return what is in the way of the verbs that are decided at once."""
    rows = ((f"`{verb}`", hindrance.value, why) for verb, (hindrance, why) in HINDRANCES.items())
    return _table(("verb", "in its way is", "because"), rows)


def admittance() -> str:
    """Return where a node must stand to take a verb. Verbs that do not differ in it share their rows."""
    rows: list[tuple[str, ...]] = []
    for condition in Condition:
        verdicts: dict[tuple[bool, str], list[str]] = {}
        for (verb, where), verdict in ADMITTANCE.items():
            if where is condition:
                verdicts.setdefault(verdict, []).append(f"`{verb}`")
        for (is_taken, why), verbs in verdicts.items():
            named = "every verb" if len(verdicts) == 1 else ", ".join(verbs)
            rows.append((condition.value, named, "taken" if is_taken else "refused", why))
    return _table(("the node is", "verb", "it is", "because"), rows)


def guards() -> str:
    """Return what each guard of a node refuses. What is refused for the same reason shares a row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for (guard, action), (is_taken, why) in GUARDS.items():
        if not is_taken:
            rows.setdefault((guard.value, why), []).append(f"`{action}`")
    cells = ((guard, ", ".join(actions), why) for (guard, why), actions in rows.items())
    return _table(("the node is", "refused", "because"), cells)


def settings() -> str:
    """Return every setting."""
    rows = (
        (f"`{item.name}`", default_in_words(item), *_bounds_and_unit(item), item.metadata["meaning"])
        for item in fields(Settings)
    )
    return _table(("setting", "default", "bounds", "unit", "meaning"), rows)


def limits() -> str:
    """Return every bound."""
    rows = (
        (
            f"`{one.what}`",
            f"`{one.limit}`" if isinstance(one.limit, str) else "",
            one.value(),
            one.beyond,
            f"`{one.answer}`",
            "yes" if one.warns else "",
        )
        for one in BOUNDS
    )
    return _table(("what", "setting", "default", "beyond it", "answer", "warned of"), rows)


def replaced() -> str:
    """Return what else is busy for a moment."""
    return _table(("what", "because"), ((f"`{what}`", why) for what, why in REPLACED.items()))


def states() -> str:
    """Return every provision state: what it is, where a node in it is going, what it takes, and what stops it."""
    rows = (
        (
            f"`{state}`",
            kind_of(state),
            f"`{PROVISION_TARGETS[state]}`" if state in PROVISION_TARGETS else "",
            ", ".join(f"`{target}`" for target in targets_of(state)),
            _leading(state, ProvisionEvent.HOLD) if kind_of(state) in {"working", "waiting"} else "",
            _leading(state, ProvisionEvent.ABORT),
        )
        for state in ProvisionState
    )
    return _table(("state", "what it is", "target", "takes", "`hold` leads to", "`abort` leads to"), rows)


def moves() -> str:
    """Return every transition between provision states."""
    rows = (
        (f"`{at}`", f"`{event}`{mark}", f"`{row.to}`", row.why)
        for table, mark in ((PROVISIONS, ""), (ABORTS, " *"))
        for (at, event), row in table.items()
    )
    return _table(("in", "when", "goes to", "because"), rows)


def courses() -> str:
    """Return which steps each target works through."""
    rows = (
        (f"`{target}`", f"`{EVENTS_OF[target]}`", ", then ".join(stages_of(target)), _done_first(target))
        for target in ProvisionTarget
    )
    return _table(("target", "event", "kinds of steps", "what castiron does first by itself"), rows)


def known_steps() -> str:
    """Return the steps that castiron brings along."""
    rows = (
        (
            f"`{one.step}`" if one.interface == RESERVED else f"`{one.interface}.{one.step}`",
            one.description,
            "; ".join(f"`{name}`: {_takes(arg)}" for name, arg in one.args.items()),
        )
        for one in BUILT_IN
    )
    return _table(("step", "what it does", "arguments"), rows)


def takeovers() -> str:
    """Return what a successor does about each step; what does not differ by the step's nature shares a row."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for (state, nature), row in TAKEOVER.items():
        rows.setdefault((state.value, row.do.value, row.why), []).append(nature.value)
    told = (
        (f"`{state}`", "any" if len(natures) == len(Nature) else ", ".join(natures), do, why)
        for (state, do, why), natures in rows.items()
    )
    return _table(("it was", "of a step that is", "its successor", "because"), told)


def _leading(state: ProvisionState, event: ProvisionEvent) -> str:
    to = after(state, event)
    return "" if to is None else f"`{to}`"


def _done_first(target: ProvisionTarget) -> str:
    first = (BY_ITSELF.get(kind, ()) for kind in stages_of(target))
    return ", ".join(f"`{_written(own)}`" for steps in first for own in steps)


def _written(own: Own) -> str:
    """Return a step as it is typed after --step."""
    name = own.step if own.interface == RESERVED else f"{own.interface}.{own.step}"
    return f"{name}:{','.join(f'{key}={value}' for key, value in own.args.items())}" if own.args else name


def _takes(arg: Arg) -> str:
    need = "" if arg.required else ", optional"
    kind = "one of " + ", ".join(f"`{one}`" for one in arg.choices) if arg.choices else KIND_WORDS[arg.kind]
    return f"{arg.description} ({kind}{need})"


def _bounds_and_unit(item: "Field[Any]") -> tuple[str, str]:
    if isinstance(item.default, bool):
        return "true, false", ""
    if item.metadata["least"] is None:
        return "text" if isinstance(item.default, str) else "list of texts", ""
    return bounds_in_words(item), _unit(item.name)


def _unit(name: str) -> str:
    if name.endswith("_per_s"):
        return "per second"
    return "seconds" if name.endswith("_s") else "count"


def _settings(names: Iterable[str]) -> str:
    known = {item.name: item for item in fields(Settings)}
    rows = ((f"`{name}`", default_in_words(known[name]), known[name].metadata["meaning"]) for name in names)
    return _table(("setting", "default", "meaning"), rows)


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "controls": controls,
    "rules": rules,
    "times": partial(_settings, TIMES),
    "checks": partial(_settings, CHECKS),
    "paces": paces,
    "pacing": partial(_settings, PACING),
    "results": results,
    "meetings": meetings,
    "displacements": displacements,
    "policies": policies,
    "hindrances": hindrances,
    "admittance": admittance,
    "guards": guards,
    "settings": settings,
    "limits": limits,
    "replaced": replaced,
    "states": states,
    "moves": moves,
    "courses": courses,
    "steps": known_steps,
    "takeovers": takeovers,
    "metrics": lambda: _table(("metric", "type", "labels", "meaning", "elsewhere"), catalogue.table()),
    "node metrics": lambda: _table(("metric", "labels", "meaning", "elsewhere"), single.table()),
}


def rewritten(page: str) -> str:
    """Return the page with those of the tables that it has as the code has them now.

    Raises:
        ValueError: the page has no table, or lacks the end of one.
    """
    found = [name for name in TABLES if _marks(name)[0] in page]
    if not found:
        raise ValueError(f"the page has none of the tables {', '.join(TABLES)}")
    for name in found:
        begin, end = _marks(name)
        before, _, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not ended:
            raise ValueError(f"the page lacks the line {end.strip()}, where a table ends")
        table = TABLES[name]
        page = f"{before}{begin}\n{table()}\n{end}{after}"
    return page


def main(arguments: list[str]) -> None:
    """Rewrite the pages whose paths are given."""
    for path in map(Path, arguments):
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: from the code -->\n", f"<!-- end of {name} -->\n"


def _then(rule: Rule) -> str:
    if rule.do is Do.FAIL:
        return "ended"
    return "sending, or ended" if rule.do is Do.NEXT_LEG else PHASES[rule.phase]


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (heads, ("---",) * len(heads), *rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    main(sys.argv[1:])
