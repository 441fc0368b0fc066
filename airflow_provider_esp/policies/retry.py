"""Which failures are worth a retry, and when: `EspRetryPolicy` for Airflow 3.3, `final_errors` for every version.

Both ask `exceptions.is_final`. Wrong credentials, missing rights and work that the service refuses fail at once: a
retry would meet them again. A rate limit waits for what the service says. The operators of this package fail at once
by themselves on any version; the policy adds the service's own pause between two tries, and brings both to tasks of
yours that use a hook.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_esp.exceptions import EspError, headline, is_final
from airflow_provider_esp.stores.run_records import note_failure

if TYPE_CHECKING:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
else:
    try:
        from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
    except ImportError:  # Airflow before 3.3
        RetryPolicy = object

HAS_POLICIES = RetryPolicy is not object
"""Whether this Airflow knows retry policies."""

LONGEST = timedelta(days=1)
"""The longest pause that a service's answer can make."""


@contextmanager
def final_errors() -> Iterator[None]:
    """Fail at once, without Airflow's retries, on errors that a retry meets again; also a decorator.

    :raises AirflowFailException: in place of such an error, with its words.
    """
    try:
        yield
    except Exception as error:
        note_failure(error)
        if is_final(error):
            raise AirflowFailException(str(error)) from error
        raise


class EspRetryPolicy(RetryPolicy):
    """Fails at once where a retry is of no use, and waits as long as the service says where it says so.

    Everything else is left to the task's ``retries`` and ``retry_delay``. Needs Airflow 3.3 or later; see
    `retry_arguments` for DAGs that run on earlier ones as well. Airflow's interface: `RetryPolicy` (AIP-105).

    :raises RuntimeError: this Airflow knows no retry policies.
    """

    def __init__(self) -> None:
        if not HAS_POLICIES:
            raise RuntimeError(
                "Airflow has retry policies since 3.3. Before, this package's operators fail at once by themselves; "
                "use retry_arguments() for DAGs that run on both, and final_errors() in tasks of your own."
            )
        super().__init__()

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Decide about a failure.

        :param exception: what the task raised.
        :param try_number: not used: Airflow counts the tries.
        :param max_tries: not used.
        :param context: not used.
        """
        if is_final(exception):
            return RetryDecision.fail(reason=headline(exception))
        after = wanted_pause(exception)
        if after is None:
            return RetryDecision.default()
        return RetryDecision.retry(delay=after, reason=headline(exception))


def wanted_pause(error: BaseException) -> timedelta | None:
    """Return the pause that a service asked for with its refusal, a day at the most; None where it did not."""
    if not isinstance(error, EspError) or error.retry_after is None:
        return None
    return min(timedelta(seconds=max(0.0, error.retry_after)), LONGEST)


def retry_arguments(retries: int, **arguments: Any) -> dict[str, Any]:
    """Return arguments for an operator or ``default_args`` that mean the same on every version of Airflow.

    :param retries: how many times Airflow tries again.
    :param arguments: others about retries, such as ``retry_delay``.
    :returns: with ``retry_policy`` where Airflow knows that.
    """
    policy = {"retry_policy": EspRetryPolicy()} if HAS_POLICIES else {}
    return {"retries": retries, **arguments, **policy}
