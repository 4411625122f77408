"""The interpreter of a process that is a conductor's own: its garbage collector, and its threads' turns.

Must not come in: what an embedded conductor may not do to the program around it, which is all that is here.
"""

import gc
import sys
import threading
import time
from typing import Final

GC_THRESHOLDS: Final = (1_000, 10_000, 20)
"""Often, the young: while they are in the processor's caches that costs no more than rare collections do in all, and a
pause is 0.8 ms with 10,000 nodes, where it was 70 to 190 after 50,000 objects. Seldom, after 10,000 such looks, which
are a quarter of an hour: all that is not frozen."""

YOUNG_S: Final = 0.1
"""Between two looks at the young. The interpreter counts what is made less what is freed, and where each check puts a
new record in an old one's place that stays near nothing: it looked at 70,000 objects at once, for 60 ms."""

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


class Collecting(threading.Thread):
    """Has the collector look at what is young, again and again; and no more, from some moment on, at what is there.

    What is frozen is freed as ever when nobody refers to it; only circles of such objects stay until the process ends.

    Args:
        settled_s: seconds until that moment.
        young_s: between two looks.
    """

    def __init__(self, settled_s: float, young_s: float) -> None:
        super().__init__(name="castiron-collector", daemon=True)
        self._settled_at_s = time.monotonic() + settled_s
        self._young_s = young_s
        self._ending = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        is_settled = False
        while not self._ending.wait(self._young_s):
            gc.collect(0)
            if not is_settled and time.monotonic() >= self._settled_at_s:
                gc.freeze()
                is_settled = True

    def stop(self) -> None:
        """Look no more. Blocks for a collection at the most; idempotent."""
        self._ending.set()
        self.join()


def settle(settled_s: float = SETTLED_S, young_s: float = YOUNG_S) -> Collecting:
    """Have the collector look no more at what is there after the start, nor, later, at sessions; return who does it."""
    gc.collect()
    gc.freeze()
    collecting = Collecting(settled_s, young_s)
    collecting.start()
    return collecting
