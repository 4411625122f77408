"""The power machine in any weather."""

from hypothesis import given, settings
from hypothesis import strategies as st

from castiron.actors.core.machines.legs import LEGS, WANTED
from castiron.actors.core.machines.turn import Succeeded
from castiron.transport.vocabulary import Applied, PowerControl, PowerState, PowerTarget
from tests.support.weather import FAIR, GUSTS, Fate, Gust, Machine, weather
from tests.unit.core.power.actions import Drive, action


def is_part(part: list[PowerControl], whole: list[str]) -> bool:
    left = iter(whole)
    return all(control.value in left for control in part)


@settings(max_examples=300, deadline=None)
@given(
    target=st.sampled_from(PowerTarget),
    hard_fallback=st.booleans(),
    begins=st.sampled_from(PowerState),
    gusts=st.lists(GUSTS, max_size=25),
    afterwards=st.sampled_from([FAIR, Gust(Fate.LOST), Gust(Fate.TOO_LATE), Gust(effect_after_s=None)]),
    crashes=st.lists(st.sampled_from([False, False, False, True]), max_size=40),
)
def test_in_any_weather_it_ends_once_and_tells_the_truth(
    *,
    target: PowerTarget,
    hard_fallback: bool,
    begins: PowerState,
    gusts: list[Gust],
    afterwards: Gust,
    crashes: list[bool],
) -> None:
    machine = Machine(power=begins)
    drive = Drive(
        machine, action(target, hard_fallback=hard_fallback), weather(gusts, afterwards), crashes=iter(crashes)
    )

    ending = drive.run()

    sent = [control.value for control in drive.action.place.sent]
    assert is_part(machine.arrived, sent), "something arrived that is not in the books"
    assert sent.count("soft off") <= 1
    if isinstance(ending, Succeeded):
        assert drive.reported is WANTED[LEGS[target][-1]]
        assert ending.result["power_state"] is drive.reported
        assert ending.result["sent"] == sent
    else:
        certain = Applied.YES if machine.arrived else Applied.NO
        assert ending.error.applied in ({certain, Applied.UNKNOWN} if drive.doubted else {certain})
