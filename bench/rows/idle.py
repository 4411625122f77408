"""What nodes take of a conductor's memory that nobody has spoken to yet: none of them has a session."""

import tempfile
from pathlib import Path

from bench.rows.sizes import Size
from bench.scene import conductor, fill, imagined


def measure(size: Size) -> dict[str, float]:
    """Return figures by name."""
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder:
        empty_mb, full_mb = (_rss_mb(Path(folder) / f"{nodes}.db", nodes) for nodes in (0, size.nodes))
    return {"empty_mb": empty_mb, "full_mb": full_mb, "node_kb": (full_mb - empty_mb) / size.nodes * 1e3}


def _rss_mb(store: Path, nodes: int) -> float:
    fill(store, imagined(nodes))
    with conductor(store) as server:
        return server.rss_bytes() / 1e6
