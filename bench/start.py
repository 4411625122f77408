"""How long a conductor takes to start from a full store, and what a node takes of its memory. No BMC is asked."""

import tempfile
from pathlib import Path

from bench.scene import conductor, fill, imagined


def measure(*, nodes: int) -> dict[str, float]:
    """Return figures by name, for stores without nodes, with `nodes`, and with ten times as many."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder:
        for count in (0, nodes, nodes * 10):
            figures |= _measure(Path(folder) / f"{count}.db", count)
    for count in (nodes, nodes * 10):
        figures[f"{count}_nodes_rss_each_kb"] = (figures[f"{count}_nodes_rss_mb"] - figures["0_nodes_rss_mb"]) / count
        figures[f"{count}_nodes_rss_each_kb"] *= 1e3
    return figures


def _measure(store: Path, count: int) -> dict[str, float]:
    fill(store, imagined(count))
    with conductor(store) as server:
        import_s, answered_s = server.ready
        return {
            f"{count}_nodes_import_ms": import_s * 1e3,
            f"{count}_nodes_until_answered_ms": answered_s * 1e3,
            f"{count}_nodes_rss_mb": server.rss_bytes() / 1e6,
        }
