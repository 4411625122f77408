"""The file with the alarm rules: found, read, refused. What a rule may say is `core.sensors.rules`' matter."""

import tomllib
from pathlib import Path

from castiron.actors.core.sensors.rules import AlarmRule, RuleInvalid, rules_from
from castiron.actors.settings import SettingInvalid


def read_rules(path: str) -> tuple[AlarmRule, ...]:
    """Return the rules in a file; an empty path: none. Blocks on the disk.

    Raises:
        SettingInvalid: it cannot be read, is not TOML, or a rule makes no sense; says where, and why.
    """
    if not path:
        return ()
    where = Path(path).expanduser()
    try:
        with where.open("rb") as file:
            return rules_from(tomllib.load(file))
    except OSError as failure:
        raise SettingInvalid(f"alarm_rules_file: {where} cannot be read: {failure.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise SettingInvalid(f"alarm_rules_file: {where} is not TOML: {failure}.") from None
    except RuleInvalid as invalid:
        raise SettingInvalid(f"alarm_rules_file: {where}: {invalid}") from None
