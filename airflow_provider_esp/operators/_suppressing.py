"""What operators do with `suppress=`: read it before anything is sent, and remember how many people it named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.operators import _optout_limits as optout_limits
from airflow_provider_esp.operators._suppression import SuppressAttribute

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.validation.addresses import PhoneRules
    from airflow_provider_esp.core.validation.suppression import Suppression
    from airflow_provider_esp.hooks.esp import EspHook


class Suppressing:
    """The part of an operator that leaves people out; the arguments are those of `ReportingOperator`."""

    suppress = SuppressAttribute()
    suppress_column: str | Sequence[str] | None
    suppression_counts: dict[str, Any] | None = None
    """What the task's result says of ``suppress``."""

    if TYPE_CHECKING:
        dag_id: str
        task_id: str
        ended_with: Any
        log: Any

        @property
        def is_dry(self) -> bool: ...  # documented where it is defined, as the next one

        def phone_rules(self, hook: EspHook) -> PhoneRules: ...

    def check_suppression(self) -> None:
        """Refuse, where the DAG is written, arguments that say nothing.

        :raises ValueError: one of them does.
        """
        optout_limits.check_limits(self._limits())

    def suppression(self, hook: EspHook, segment: str | None = None) -> Suppression | None:
        """Read everybody who is to be left out; None where nothing is said of it.

        :param segment: where people are about to be added to; None where they are about to be written to.
        :raises SourceError: something of it cannot be read, is empty or has shrunk.
        """
        from airflow_provider_esp.operators._suppression import read_suppression
        from airflow_provider_esp.stores.optout_counts import OptOutCounts

        response = read_suppression(
            self.suppress,
            self.suppress_column,
            hook,
            segment,
            self.log,
            rules=self.phone_rules(hook),
            limits=optout_limits.limits_of(self._limits()),
            counts=OptOutCounts(self.dag_id, self.task_id),
        )
        if response is None:
            return None
        suppression, self.suppression_counts = response
        return suppression

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Keep, once everything is done, how many people each source of ``suppress`` named."""
        super().post_execute(context, result)  # type: ignore[misc]  # BaseOperator's, which stands behind this part
        from airflow_provider_esp.stores.optout_counts import OptOutCounts

        summary = self.ended_with if isinstance(self.ended_with, dict) else {}
        if "suppression" in summary and not self.is_dry:
            OptOutCounts(self.dag_id, self.task_id).save(summary["suppression"]["sources"])

    def _limits(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in optout_limits.ARGUMENTS}
