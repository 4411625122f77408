"""The interpreter of a process that is a conductor's own: its garbage collector, and its threads' turns.

Must not come in: what an embedded conductor may not do to the program around it, which is all that is here.
"""

import gc
import sys
import threading
from typing import Final

GC_THRESHOLDS: Final = (1_000, 1_000, 20)
"""Often, the young: while they are in the processor's caches that costs no more than rare collections do in all, and a
pause is 0.8 ms with 10,000 nodes, where it was 70 to 190 after 50,000 objects. Seldom, after a million more: all that
is not frozen."""

SETTLED_S: Final = 60.0
"""After the first answer, until the BMCs' sessions are open. They stay, so the collector need not look at them."""

SWITCH_INTERVAL_S: Final = 0.001
"""How long a thread keeps the interpreter that others wait for; Python's own is 5 ms, as long as a burst of checks.
With 10,000 nodes that are checked every 6 s, answers came a third sooner at p99, and checks were a third as late, for
no CPU that could be measured. Shorter gained nothing more."""


def tune() -> None:
    """Set the interpreter to the work of a conductor: before its start. Idempotent."""
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def settle(settled_s: float = SETTLED_S) -> threading.Timer:
    """Have the collector look no more at what is there after the start, nor, later, at sessions; return who sees to it.

    What is frozen is freed as ever when nobody refers to it; only circles of such objects stay until the process ends.
    """
    gc.collect()
    gc.freeze()
    later = threading.Timer(settled_s, gc.freeze)
    later.name, later.daemon = "castiron-settle", True
    later.start()
    return later
