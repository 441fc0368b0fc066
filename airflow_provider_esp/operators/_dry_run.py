"""The argument ``dry_run`` of operators, where Airflow's own operators have a method of this name."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator


class DryRun:
    """What an operator's ``dry_run`` is: the argument, and still the method that Airflow has under this name.

    :param operator: whose it is.
    :param value: what the author gave.
    """

    def __init__(self, operator: BaseOperator, value: Any) -> None:
        self._operator = operator
        self.value = value

    def __call__(self, context: Any = None, jinja_env: Any = None) -> Any:
        """Render the argument, as Airflow has callables in template fields do; without a context, do what Airflow's
        method does for ``airflow tasks test --dry-run``.
        """
        if context is None:
            return BaseOperator.dry_run(self._operator)
        return self._operator.render_template(self.value, context, jinja_env)

    def __str__(self) -> str:
        return str(self.value)

    __repr__ = serialize = __str__


class DryRunAttribute:
    """An operator's argument ``dry_run``."""

    def __get__(self, operator: Any, owner: type | None = None) -> Any:
        return self if operator is None else DryRun(operator, operator._dry_run)

    def __set__(self, operator: Any, value: Any) -> None:
        operator._dry_run = value.value if isinstance(value, DryRun) else value
