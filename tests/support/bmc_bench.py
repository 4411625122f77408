"""A BMC on a bench: no sockets, and time stands still unless the test moves it."""

from dataclasses import dataclass
from random import Random

from castiron.testing.bmc import BMC, BMCSettings, Faults

SOURCE = ("127.0.0.1", 40_000)


@dataclass
class Bench:
    """A BMC and the time. `exchange` is what a console needs."""

    bmc: BMC
    now: float = 1000.0
    delay_s: float = 0.0

    def exchange(self, datagram: bytes) -> bytes | None:
        answers = self.bmc.receive(datagram, SOURCE, self.now)
        assert len(answers) <= 1
        if not answers:
            return None
        self.delay_s, answer = answers[0]
        return answer


def make_bench(settings: BMCSettings | None = None, *, seed: int = 1, faults: Faults | None = None) -> Bench:
    bmc = BMC("bmc1", settings or BMCSettings(), Random(seed))
    bmc.faults = faults or Faults()
    return Bench(bmc)
