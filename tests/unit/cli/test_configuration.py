"""What a conductor is told, in rising order, and what is refused."""

from pathlib import Path

import pytest

from castiron.cli.configuration import Configuration, default_store, expanded, key_file_of, store_of
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop

NAMES = ("command_timeout_s", "node_queue_limit")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "castiron.toml"
    path.write_text(text)
    return path


def test_flags_beat_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    given = Configuration()
    given.add_file(
        written(
            tmp_path,
            '[conductor]\nstore = "file"\nkey_file = "file"\nlisten = "file"\n'
            "[settings]\ncommand_timeout_s = 1\nnode_queue_limit = 2\n",
        )
    )
    environment = {
        "CASTIRON_KEY_FILE": "env",
        "CASTIRON_ENDPOINT": "env",
        "CASTIRON_NODE_QUEUE_LIMIT": "3",
        "HOME": "/",
    }
    given.add_environment(environment, NAMES)
    given.add_flags({"store": None, "key_file": None, "listen": "flag"}, ["command_timeout_s=4"])

    assert given.places == {"store": "file", "key_file": "env", "listen": "flag"}
    assert {name: (one.value, one.is_text) for name, one in given.settings.items()} == {
        "command_timeout_s": ("4", True),
        "node_queue_limit": ("3", True),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[conductr]\n", "the table conductr does not exist. Did you mean conductor?"),
        ("settings = 3\n", "settings is not a table"),
        (
            "command_timeout_s = 3\n",
            "command_timeout_s stands in no table. Write [settings] on a line of its own above",
        ),
        ('store = "x"\n', "store stands in no table. Write [conductor] on a line of its own above"),
        ('[conductor]\nstor = "x"\n', "stor does not exist. Did you mean store?"),
        ("[conductor]\nsend_sensor_data = true\n", "server_key_file, store. Settings stand in the table [settings]."),
        ("[conductor]\nstore = 3\n", "store is not text"),
        ("[conductor\n", "is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Stop) as wrong:
        Configuration().add_file(written(tmp_path, text))

    assert told in wrong.value.message
    assert "castiron.toml" in wrong.value.message


def test_a_variable_that_means_nothing_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(
        Stop, match=r"CASTIRON_COMAND_TIMEOUT_S does not exist\. Did you mean CASTIRON_COMMAND_TIMEOUT_S"
    ):
        Configuration().add_environment({"CASTIRON_COMAND_TIMEOUT_S": "3"}, NAMES)


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(Stop, match="no equals sign"):
        Configuration().add_flags({}, ["command_timeout_s"])


def test_the_store_stands_where_state_belongs() -> None:
    assert default_store({"XDG_STATE_HOME": "/state", "HOME": "/home/me"}) == Path("/state/castiron/castiron.db")
    assert default_store({"HOME": "/home/me"}) == Path("/home/me/.local/state/castiron/castiron.db")


def test_a_command_about_a_store_means_the_one_that_serve_would_use(tmp_path: Path) -> None:
    home = Path.home()
    named = {"CASTIRON_STORE": "~/named.db", "CASTIRON_KEY_FILE": "~/named.key", "HOME": str(home)}

    assert store_of(None, named) == home / "named.db"
    assert key_file_of(None, named) == home / "named.key"
    assert store_of(Path("~/given.db"), named) == home / "given.db"
    assert key_file_of(tmp_path / "given.key", named) == tmp_path / "given.key"
    assert store_of(None, {"XDG_STATE_HOME": "/state"}) == Path("/state/castiron/castiron.db")
    assert key_file_of(None, {}) is None


def test_a_folder_of_a_user_who_is_not_there_is_refused() -> None:
    with pytest.raises(Stop, match="there is no such user") as wrong:
        expanded(Path("~no-such-user/castiron.db"))

    assert wrong.value.code == Exit.USAGE


def test_variables_that_commands_read_do_not_stop_a_conductor() -> None:
    given = Configuration()

    given.add_environment(
        {"CASTIRON_CONFIRM_ABOVE": "5", "CASTIRON_CLIENT_KEY": "k", "CASTIRON_SERVER_KEY": "s"}, NAMES
    )

    assert (given.places, given.settings) == ({}, {})
