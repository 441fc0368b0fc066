"""`RefreshTokensOperator`: keeps OAuth connections alive, so that other tasks only read their tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Unpack

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseOperator

from airflow_provider_esp.exceptions import TokensExpiring

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.auth.token_set import TokenSet
    from airflow_provider_esp.utils.operator_arguments import BaseOperatorArguments

_DAY = 86_400.0


class RefreshTokensOperator(BaseOperator):
    """Refreshes the tokens of every OAuth connection of this provider; meant to run once a day, one run at a time.

    A refresh token lasts 30 days and is replaced at each refresh, so a connection that is kept never ends. What fails
    does not keep the others from being refreshed; the task fails at the end and says, for each connection, how long it
    will still work.

    :param conn_ids: the connections; None takes all that were authorised with ``airflow_provider_esp authorize``.
    :param renew_after: seconds since the last refresh after which tokens are refreshed again.
    :param warn_days: fail when the refresh token ends in less than so many days and could not be replaced.

    Returns for each connection id the days that its refresh token lasts from now.
    """

    template_fields: Sequence[str] = ("conn_ids",)
    ui_color = "#e8f3ec"

    def __init__(
        self,
        *,
        conn_ids: Sequence[str] | None = None,
        renew_after: float = _DAY / 4,
        warn_days: float = 7.0,
        **kwargs: Unpack[BaseOperatorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.conn_ids = conn_ids
        self.renew_after = renew_after
        self.warn_days = warn_days

    def execute(self, context: Context) -> dict[str, float]:
        """Refresh each connection.

        :raises TokensExpiring: at least one could not be refreshed.
        """
        from airflow_provider_esp.stores.tokens import authorised_connections

        names = list(self.conn_ids) if self.conn_ids is not None else authorised_connections()
        if not names:
            self.log.info("No connection was authorised, so there is nothing to keep.")
        days: dict[str, float] = {}
        problems: list[str] = []
        for name in names:
            left, problem = self._kept(name)
            days[name] = left
            if problem:
                problems.append(problem)
        if problems:
            raise TokensExpiring(
                "\n".join([f"{len(problems)} of {len(names)} connections could not be kept.", *problems])
            )
        return days

    def _kept(self, conn_id: str) -> tuple[float, str]:
        """Refresh one connection: days left, and what is wrong."""
        from airflow_provider_esp.exceptions import ConnectionInvalid, EspError
        from airflow_provider_esp.hooks.credentials import renewal
        from airflow_provider_esp.hooks.esp import EspHook

        clock: Callable[[], float] = time.time
        grant: TokenSet | None = None
        try:
            hook = EspHook.for_connection(conn_id)
            clock, oauth = hook.clock, getattr(hook.settings, "oauth", None)
            if oauth is None:
                return 0.0, f"{conn_id}: it does not use OAuth; take it off conn_ids."
            renewing = renewal(oauth, hook.settings.ca_bundle, conn_id, clock)
            grant = renewing.stored()
            grant = renewing.keep(self.renew_after)
        except AirflowNotFoundException:
            return 0.0, f"{conn_id}: there is no such connection any more; run `revoke` for it, or make it again."
        except (EspError, ConnectionInvalid, TypeError) as error:
            return _days(grant, clock()), f"{conn_id}: {_time_left(grant, clock())}{error}"
        left = _days(grant, clock())
        if left < self.warn_days:
            return left, f"{conn_id}: its refresh token ends in {left:.1f} days and is not replaced."
        self.log.info("%s: refreshed; its tokens last %.1f days from now.", conn_id, left)
        return left, ""


def _days(grant: TokenSet | None, now: float) -> float:
    return round(max(0.0, grant.refresh_expires_at - now) / _DAY, 2) if grant else 0.0


def _time_left(grant: TokenSet | None, now: float) -> str:
    if grant is None:
        return ""
    access = max(0.0, grant.expires_at - now) / _DAY
    return f"its refresh token ends in {_days(grant, now):.1f} days, its access token in {access:.1f}. "
