"""The plug-in of pytest, in runs of pytest of its own: what tests are given, and what is told where they fail."""

from pathlib import Path

import pytest

from castiron.actors.conductor import Conductor
from castiron.testing import BMCFarm, Simulation
from castiron.transport.clients.blocking.client import Client
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import PowerState, PowerTarget, ReplyWish

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes find castiron where it is not installed, too."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def ran(pytester: pytest.Pytester, test: str, *words: str) -> pytest.RunResult:
    """Run one file of tests in a process of its own."""
    pytester.makepyfile(test)
    return pytester.runpytest_subprocess("-p", "castiron.testing.plugin", "-p", "no:cacheprovider", *words)


@pytest.mark.castiron(nodes=5, faults={"n[3-4]": "silent=true"})
def test_a_test_has_a_conductor_with_nodes_whose_bmcs_are_as_it_wants_them(
    castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    assert [view.name for view in castiron_client.nodes.list()] == ["n1", "n2", "n3", "n4", "n5"]
    castiron_client.nodes.power("n1", "power on").wait(timeout_s=20).raise_for_error()
    assert bmc_farm[0].power == PowerState.ON
    assert [bmc.faults.silent for bmc in bmc_farm] == [False, False, True, True, False]


@pytest.mark.castiron(driver="fake", nodes=2, settings={"node_queue_limit": 3})
def test_nodes_may_be_of_the_fake_driver_and_settings_others(castiron_conductor: Conductor) -> None:
    with castiron_conductor.client() as client:
        assert {view.driver for view in client.nodes.list()} == {"fake"}
        assert client.status().settings["node_queue_limit"] == 3


@pytest.mark.castiron(nodes=4)
def test_in_virtual_time_an_hour_is_no_time(castiron_simulation: Simulation) -> None:
    asked = castiron_simulation.users.ask(
        NodePowerSet(node=castiron_simulation.machines[0].name, target=PowerTarget.ON, replies=ReplyWish.FINAL)
    )
    castiron_simulation.live(3600)

    assert asked is not None
    assert asked.error is None
    assert castiron_simulation.machines[0].power(castiron_simulation.clock.now()) == PowerState.ON


def test_a_hundred_bmcs_over_udp_and_in_virtual_time(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest

        @pytest.mark.castiron(nodes=100)
        def test_real(castiron_client):
            assert len(castiron_client.nodes.list()) == 100

        @pytest.mark.castiron(nodes=100)
        def test_virtual(castiron_simulation):
            castiron_simulation.live(60)
            assert len(castiron_simulation.gather().nodes) == 100
        """,
        "-n",
        "2",  # workers of xdist have conductors of their own
    )

    result.assert_outcomes(passed=2)


def test_where_a_test_fails_its_nodes_story_is_told(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest

        @pytest.mark.castiron(nodes=1, driver="fake")
        def test_it(castiron_client):
            castiron_client.nodes.power("n1", "power on").wait(timeout_s=20)
            assert castiron_client.nodes.show("n1").power_state == "power off"
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- castiron -*",
            "its latest events:",
            "*n1 node.power_set.end*",
            "n1: power on, enroll",
            "  n1's latest events:",
            "*n1 node.power_set.start*",
            "  <Request * node.power.set n1: succeeded>",
            "    *exchange*",
        ]
    )


def test_the_node_that_a_failure_names_is_told_of_first(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest

        @pytest.mark.castiron(nodes=40, faults={"n33": "silent=true"})
        def test_real(castiron_client):
            asked = castiron_client.nodes.power("n33", "power on")
            for number in range(2, 9):
                castiron_client.nodes.power(f"n{number}", "power on").wait(timeout_s=20)
            asked.wait(timeout_s=20).raise_for_error()

        @pytest.mark.castiron(nodes=2, seed=3)
        def test_virtual(castiron_simulation):
            castiron_simulation.live(60)
            assert castiron_simulation.evidence.published == []
        """,
        "-n",
        "2",
    )

    result.assert_outcomes(failed=2)
    told = result.stdout.str()
    stories = [line.partition(":")[0] for line in told.splitlines() if line.startswith(("n33: ", "n8: ", "n7: "))]
    assert stories[0] == "n33"
    assert 1 < len(stories) <= 3
    assert "127.100.0.33" in told
    assert "in virtual time, from seed 3" in told


def test_a_marker_that_is_wrong_is_told_what_it_takes(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest

        @pytest.mark.castiron(7)
        def test_position(castiron_client): ...

        @pytest.mark.castiron(machines=7)
        def test_word(castiron_client): ...

        @pytest.mark.castiron(faults={"n9": "silent=true"})
        def test_node(castiron_client): ...

        @pytest.mark.castiron(faults={"n1": "silnet=true"})
        def test_fault(castiron_client): ...

        @pytest.mark.castiron(settings={"node_queue_limt": 3})
        def test_setting(castiron_client): ...
        """,
    )

    result.assert_outcomes(errors=5)
    result.stdout.fnmatch_lines(
        [
            "*takes its arguments by name, as nodes=100.*",
            "*knows no machines; it takes driver, enrolled, faults, impatient, nodes, seed, *timeout_s.*",
            "*names n9, and the nodes are n1 to n3.*",
            "*'silnet=true'*Did you mean silent?*",
            "*node_queue_limt: there is no such setting. Did you mean node_queue_limit?*",
        ]
    )


def test_what_it_costs_a_run_without_castiron_is_an_import(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import sys

        def test_it():
            assert not {name for name in sys.modules if name.startswith("castiron.")} - {
                f"castiron.testing{name}" for name in ("", ".plugin", ".plugin.story", ".plugin.wanted")
            }
        """,
    )

    result.assert_outcomes(passed=1)
