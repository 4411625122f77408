"""What has been counted, as the protocol tells it. Names of nodes come from the board; nothing is counted here."""

from collections.abc import Mapping

from castiron.actors.metrics.sketch import Spread
from castiron.actors.published.board import Board
from castiron.actors.published.checks import Checks
from castiron.transport.replies import BMCsView, FailingBMC, LagView, SlowBMC
from castiron.transport.vocabulary import NodeUUID


def lag_views(lags: Mapping[str, Spread]) -> dict[str, LagView]:
    """Return how long messages wait, by where."""
    return {name: lag_view(lag) for name, lag in lags.items()}


def lag_view(lag: Spread) -> LagView:
    """Return how long things took lately."""
    return LagView(samples=lag.samples, p50_ms=lag.p50_ms, p99_ms=lag.p99_ms, most_ms=lag.most_ms)


def bmcs_view(checks: Checks, board: Board) -> BMCsView:
    """Return how BMCs answer. Nodes that have gone meanwhile are left out."""
    answers = checks.answers()
    slowest = ((_name(board, node), took_s) for node, took_s in answers.slowest)
    failing = ((_name(board, one.node), one) for one in answers.failing)
    return BMCsView(
        response=lag_view(answers.lately),
        slowest=[SlowBMC(node=name, response_ms=took_s * 1000) for name, took_s in slowest if name is not None],
        failing=answers.codes,
        failing_longest=[
            FailingBMC(node=name, since=one.since, code=one.code) for name, one in failing if name is not None
        ],
    )


def _name(board: Board, node: NodeUUID) -> str | None:
    published = board.node(node)
    return None if published is None else published.state.record.name
