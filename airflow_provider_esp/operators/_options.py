"""An operator's ``options``: what only one of the services has."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.options import ServiceOptions

if TYPE_CHECKING:
    from airflow_provider_esp.hooks.esp import EspHook


class OptionsAttribute:
    """An operator's ``options``, handed out as a copy.

    Airflow renders what it is given in place and assigns it, to a shallow copy of the operator: were it given the
    author's own object, the next run or the next mapped task in the same process would find no template any more.

    :param kinds: the classes that it may be of, one of each service.
    """

    def __init__(self, *kinds: type[ServiceOptions]) -> None:
        self._kinds = kinds

    def __get__(self, operator: Any, owner: type | None = None) -> Any:
        return self if operator is None else copy.copy(operator.__dict__["_service_options"])

    def __set__(self, operator: Any, value: Any) -> None:
        if value is not None and not isinstance(value, self._kinds):
            names = " or ".join(f"{kind.__name__}(...)" for kind in self._kinds)
            raise TypeError(f"options= takes {names}, written in the DAG file, not {type(value).__name__}.")
        operator.__dict__["_service_options"] = value


def options_for(hook: EspHook, options: ServiceOptions | None) -> dict[str, Any]:
    """Return what the author gave of options, by name.

    :param options: the operator's, rendered.
    :raises Unsupported: they are those of another service than the connection's.
    """
    if options is None:
        return {}
    if options.service != hook.service.name:
        from airflow_provider_esp.exceptions import Unsupported

        raise Unsupported(hook.service.title, f"take options={options!r}", "They belong to another service.")
    return options.given()
