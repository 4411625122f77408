"""A farm that runs takes orders: what there is to order, and what is refused."""

import json
from typing import Final

import pytest

from castiron.testing import BMCFarm, Faults, Forgery
from castiron.testing.orders import obey
from castiron.transport.vocabulary import PowerState
from tests.support.console import Console, Silent
from tests.support.farm_consoles import over_udp

SILENCE_S: Final = 0.2


def refusal(farm: BMCFarm, order: object) -> tuple[str, str]:
    """Give an order that is refused, see that nothing was done, and return why."""
    before = [(bmc.faults, bmc.power) for bmc in farm]
    error = obey(farm, order)["error"]
    assert [(bmc.faults, bmc.power) for bmc in farm] == before
    return error["code"], error["message"]


class TestOrders:
    def test_set_changes_some_faults_of_some_bmcs_and_answers_how_they_are(self, farm: BMCFarm) -> None:
        farm[3].set_faults(Faults(loss_percent=5))

        answer = obey(farm, {"order": "set", "bmcs": "bmc[3-4]", "faults": {"silent": "true", "slow": "0.1,0.5"}})

        assert [bmc.faults for bmc in farm] == [
            Faults(),
            Faults(),
            Faults(silent=True, slow_s=(0.1, 0.5)),
            Faults(silent=True, slow_s=(0.1, 0.5), loss_percent=5),
            Faults(),
        ]
        assert [(bmc["name"], bmc["faults"]) for bmc in answer["bmcs"]] == [
            ("bmc3", {"silent": "true", "slow": "0.1,0.5"}),
            ("bmc4", {"silent": "true", "slow": "0.1,0.5", "loss": "5"}),
        ]

    def test_values_may_be_what_json_has_for_them(self, farm: BMCFarm) -> None:
        obey(farm, {"order": "set", "bmcs": "bmc1", "faults": {"silent": True, "loss": 2.5, "flood": 3}})

        assert farm[0].faults == Faults(silent=True, loss_percent=2.5, flood_count=3)

    def test_heal_takes_all_faults(self, farm: BMCFarm) -> None:
        farm[0].set_faults(Faults(silent=True, forgeries=tuple(Forgery)))

        obey(farm, {"order": "heal", "bmcs": "bmc[1-5]"})

        assert {bmc.faults == Faults() for bmc in farm} == {True}

    def test_reset_makes_a_bmc_forget_its_sessions_and_be_silent_for_a_while(self, farm: BMCFarm) -> None:
        console = Console(over_udp(farm[0]))
        console.login()

        (shown,) = obey(farm, {"order": "reset", "bmcs": "bmc1", "silent_s": 3600})["bmcs"]

        assert (shown["restarting"], shown["sessions"], shown["logins"]) == (True, 0, 1)
        with pytest.raises(Silent):
            Console(over_udp(farm[0], SILENCE_S)).login()
        obey(farm, {"order": "reset", "bmcs": "bmc1", "silent_s": 0})
        Console(over_udp(farm[0])).login()

    def test_power_is_a_hand_on_the_button(self, farm: BMCFarm) -> None:
        obey(farm, {"order": "power", "bmcs": "bmc[2,5]", "state": "power on"})

        assert [bmc.power is PowerState.ON for bmc in farm] == [False, True, False, False, True]
        assert farm[1].controls == []

    def test_show_tells_all_but_secrets(self, farm: BMCFarm) -> None:
        Console(over_udp(farm[1])).login()
        answer = obey(farm, {"order": "show"})

        assert [bmc["name"] for bmc in answer["bmcs"]] == [bmc.name for bmc in farm]
        assert answer["bmcs"][1] == {
            "name": "bmc2",
            "address": "127.100.0.2",
            "port": farm.port,
            "power": "power off",
            "restarting": False,
            "sessions": 1,
            "logins": 1,
            "commands": 1,
            "controls": 0,
            "faults": {},
        }
        assert "password" not in json.dumps(answer)

    @pytest.mark.parametrize(
        ("order", "code", "said"),
        [
            ({"order": "set", "bmcs": "bmc[4-7]", "faults": {"silent": "true"}}, "bmc.not_found", "no bmc[6-7]"),
            ({"order": "show", "bmcs": "n1"}, "bmc.not_found", "this farm has bmc[1-5]"),
            ({"order": "heal", "bmcs": "bmc[1-"}, "argument.invalid", "is not a host range"),
            ({"order": "heal", "bmcs": "bmc[1-999999999]"}, "argument.invalid", "is not a host range"),
            ({"order": "set", "bmcs": "bmc1", "faults": {"silnt": "true"}}, "argument.invalid", "Did you mean silent?"),
            (
                {"order": "set", "bmcs": "bmc1", "faults": {"silent": "true", "loss": "101"}},
                "argument.invalid",
                "loss=101 cannot be",
            ),
            ({"order": "reset", "bmcs": "bmc1", "silent_s": -1}, "argument.invalid", "silent_s must be seconds"),
            ({"order": "reset", "bmcs": "bmc1", "silent_s": float("nan")}, "argument.invalid", "cannot restart so"),
            ({"order": "power", "bmcs": "bmc1", "state": "rebooting"}, "argument.invalid", "neither"),
            ({"order": "set", "bmcs": "bmc1"}, "argument.invalid", "This is no order"),
            ({"order": "set", "bmcs": "bmc1", "faults": ["silent"]}, "argument.invalid", "This is no order"),
            ({"order": "show", "bmcs": 1}, "argument.invalid", "This is no order"),
            ({"order": "dance"}, "argument.invalid", "There are show, set, heal, reset and power"),
            (["show"], "argument.invalid", "This is no order"),
            (None, "argument.invalid", "This is no order"),
        ],
        ids=str,
    )
    def test_what_cannot_be_done_is_refused_whole_and_in_words(
        self, farm: BMCFarm, order: object, code: str, said: str
    ) -> None:
        refused, message = refusal(farm, order)

        assert refused == code
        assert said in message
