"""Every setting of a conductor: which there are, what each takes, and how it is given.

The rooms get the values handed in; nobody reads a file or an environment variable here or further inside.
"""

from castiron.actors.settings.declaring import LEAST
from castiron.actors.settings.given import check_setting, setting_from_text, settings_from
from castiron.actors.settings.reloading import FROM_NOTHING, LIVE, Reloaded, reloaded
from castiron.actors.settings.table import ORDERED, Settings
from castiron.actors.settings.values import SettingInvalid, bounds_in_words, default_in_words

__all__ = [
    "FROM_NOTHING",
    "LEAST",
    "LIVE",
    "ORDERED",
    "Reloaded",
    "SettingInvalid",
    "Settings",
    "bounds_in_words",
    "check_setting",
    "default_in_words",
    "reloaded",
    "setting_from_text",
    "settings_from",
]
