"""A BMC that refuses logins, or answers a command with a completion code."""

import pytest

from castiron.testing.bmc import CommandKind, Faults, Refusal
from tests.support.bmc_bench import Bench, make_bench
from tests.support.console import Console, Refused, Silent, sessionless
from tests.unit.testing.bmc_console import OFF, OK, PING, UP, logged_in, power_of


class TestRefusedLogins:
    def test_a_wrong_password_refuses_a_login_and_leaves_open_sessions_alone(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(wrong_password=True)

        with pytest.raises(Refused) as refused:
            logged_in(bench)

        assert refused.value.step == "rakp 2"
        assert power_of(console) == OFF
        assert bench.bmc.device.login_count == 1

    def test_the_wrong_password_is_another_one_that_the_bmc_keeps_to(self) -> None:
        bench = make_bench(faults=Faults(wrong_password=True))
        console = Console(bench.exchange, password="not password")

        console.login()

        assert power_of(console) == OFF

    def test_a_full_table_refuses_a_login_and_leaves_open_sessions_alone(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(table_full=True)

        with pytest.raises(Refused) as refused:
            logged_in(bench)

        assert (refused.value.step, refused.value.status) == ("open session", 0x01)
        assert power_of(console) == OFF
        bench.bmc.faults = Faults()
        assert power_of(logged_in(bench)) == OFF

    def test_a_restart_takes_its_time_and_forgets_the_sessions(self, bench: Bench) -> None:
        console = logged_in(bench)

        bench.bmc.cold_reset(silent_until=bench.now + 30)

        bench.now += 29.999
        assert bench.bmc.is_restarting(bench.now)
        assert bench.exchange(PING) is None
        bench.now += 0.001
        assert not bench.bmc.is_restarting(bench.now)
        assert bench.exchange(PING) is not None
        with pytest.raises(Silent):
            console.command(0, 1)
        assert power_of(logged_in(bench)) == OFF


class TestRefusals:
    def test_the_next_commands_are_refused_and_not_carried_out(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(refusal=Refusal(code=0xC0, count=2))

        answers = [console.command(0, 2, UP) for _ in range(3)]

        assert answers == [b"\xc0", b"\xc0", OK]
        assert bench.bmc.device.chassis.control_count == 1
        assert bench.bmc.faults == Faults()

    @pytest.mark.parametrize(
        ("kind", "netfn", "command", "data"),
        [
            (CommandKind.STATUS, 0, 1, b""),
            (CommandKind.CONTROL, 0, 2, UP),
            (CommandKind.BOOT, 0, 8, b"\x00\x00"),
            (CommandKind.BOOT, 0, 9, b"\x05\x00\x00"),
            (CommandKind.LOGIN, 6, 0x3B, b"\x04"),
            (CommandKind.PROBE, 6, 0x38, b"\x0e\x04"),
        ],
    )
    def test_only_commands_of_their_kind_meet_and_use_up_refusals(
        self, bench: Bench, kind: CommandKind, netfn: int, command: int, data: bytes
    ) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(refusal=Refusal(code=0xFF, kind=kind))

        assert console.command(6, 1)[0] == 0
        assert console.command(netfn, command, data) == b"\xff"
        assert console.command(netfn, command, data)[0] == 0

    def test_what_comes_outside_a_session_meets_only_the_refusal_of_probes(self, bench: Bench) -> None:
        probe = sessionless(6, 0x38, b"\x8e\x04")
        bench.bmc.faults = Faults(refusal=Refusal())
        healthy = make_bench().exchange(probe)
        assert bench.exchange(probe) == healthy

        bench.bmc.faults = Faults(refusal=Refusal(code=0xC3, kind=CommandKind.PROBE))

        refused = bench.exchange(probe)
        assert refused is not None
        assert refused[14:][6:-1] == b"\xc3"
