"""The sandbox's settings: their names, defaults and meaning, and their values now.

Some are the sandbox's own (`COMMON`), the others a service's; ``GET /_sandbox/settings`` lists them and
``POST /_sandbox/settings`` changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """One setting.

    :param default: its value until it is changed; its type is the type every value must have (a number may be
        int or float; a default of None takes anything).
    :param meaning: one sentence for people.
    :param check: whether a value of the right type makes sense.
    """

    default: Any
    meaning: str
    check: Callable[[Any], bool] = lambda value: True

    def accepts(self, value: Any) -> bool:
        """Check whether `value` is of the right type and makes sense."""
        return self._fits(value) and self.check(value)

    def _fits(self, value: Any) -> bool:
        if self.default is None:
            return True
        if isinstance(self.default, bool) or isinstance(value, bool):
            return isinstance(value, bool) and isinstance(self.default, bool)
        if isinstance(self.default, int | float):
            return isinstance(value, int | float)
        return isinstance(value, type(self.default))


def _not_negative(value: Any) -> bool:
    return bool(value >= 0)


def texts(value: Any) -> bool:
    """Check whether every item of a list is text; for `Setting.check`."""
    return all(isinstance(item, str) for item in value)


FATES = ("read", "delivered", "clicked", "bounced", "spam", "unsubscribed", "stuck")
"""What can become of a message: delivered and read (the usual), delivered and never read, read and clicked, never
delivered, marked as spam, read and unsubscribed, and left in the queue without end."""


def _fates(value: dict[str, Any]) -> bool:
    return all(word in FATES for word in value.values())


COMMON = {
    "import_seconds": Setting(2.0, "how long an import takes, in seconds, from submit to finish", _not_negative),
    "delivery_seconds": Setting(1.0, "how long each step of a message's way takes, in seconds", _not_negative),
    "outcomes": Setting({}, f"what becomes of messages to an address: {{address: fate}}; {', '.join(FATES)}", _fates),
}


class WrongSetting(ValueError):
    """A setting that does not exist, or a value of the wrong type."""


class Settings:
    """Values of all settings.

    :param known: every setting there is, by name.
    """

    def __init__(self, known: Mapping[str, Setting]) -> None:
        self.known = dict(known)
        self._changed: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self._changed.get(name, self.known[name].default)

    def change(self, values: Mapping[str, Any]) -> None:
        """Set several settings at once; all or none.

        :raises WrongSetting: a name is unknown or a value has the wrong type.
        """
        for name, value in values.items():
            if name not in self.known:
                raise WrongSetting(f"no setting {name!r}; there are: {', '.join(sorted(self.known))}")
            if not self.known[name].accepts(value):
                default, meaning = self.known[name].default, self.known[name].meaning
                raise WrongSetting(f"setting {name!r} does not take {value!r}; it is like {default!r}: {meaning}")
        self._changed.update(values)

    def reset(self) -> None:
        """Reset to the defaults."""
        self._changed.clear()

    def values(self) -> dict[str, Any]:
        """Return all settings and their present values."""
        return {name: self[name] for name in self.known}
