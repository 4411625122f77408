"""What a bulk would do, of one that is only rehearsed: when each node would be asked, as far as that is known. Pure.

Who is next is pacing's decision, here as in earnest. What each node would do then is its own actor's forecast; here it
is told with when that is. May come in: what else of the pacing is worth telling. Must not: a judgement about a node.
"""

from collections.abc import Hashable, Sequence

from castiron.actors.core.bulk.pacing import Pacing, Terms
from castiron.transport.replies import Forecast
from castiron.transport.vocabulary import Would


def sent_after_s(groups: Sequence[Hashable], terms: Terms) -> list[float | None]:
    """Return after how many seconds each node would be asked; None: not before another one has ended.

    Args:
        groups: of each node, in the order in which they would be started.
        terms: how the bulk would be carried out.
    """
    pacing, now = Pacing(groups, terms), 0.0
    after: list[float | None] = [None] * len(groups)
    while True:
        for number in pacing.take(now, len(groups), lambda _: False):
            after[number] = now
        due_at = pacing.due_at()
        if due_at is None:
            return after
        now = due_at


def paced(forecast: Forecast, after_s: float | None) -> Forecast:
    """Return what a node has foretold, with when it would be asked; see `sent_after_s`."""
    if after_s == 0:
        return forecast
    when = "Once others of the bulk have ended" if after_s is None else f"After {after_s:g} s at the earliest"
    return forecast.later(when, Would.QUEUE if forecast.would is Would.START else forecast.would)
