"""Waiting for imports: what the operators that begin them share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_esp.utils.wait_limits import limit_of_wait

if TYPE_CHECKING:
    from airflow_provider_esp.core.waits import UploadState, UrlImportState, WaitEvent


class ImportWaits:
    """The part of an operator that waits for imports in the triggerer, and says so when the time is up."""

    poll_interval: float
    timeout: float

    if TYPE_CHECKING:
        esp_conn_id: str

        def defer_until(self, end: float, trigger: Any) -> None: ...  # `EspOperator`'s

    def defer_until_imported(self, import_ids: Sequence[str], end: float, state: UploadState | UrlImportState) -> None:
        """Leave the worker until all imports have ended.

        :param end: when the wait is over, in Unix time.
        :param state: what this task has to know afterwards; it comes back in the event.
        """
        from airflow_provider_esp.core.waits import encode
        from airflow_provider_esp.triggers.waits import ImportTrigger

        trigger = ImportTrigger(
            import_ids=import_ids,
            esp_conn_id=self.esp_conn_id,
            end_time=end,
            poll_interval=self.poll_interval,
            state=encode(state),
        )
        self.defer_until(end, trigger)

    def awaited(self, event: WaitEvent) -> str:
        """Return what is waited for."""
        return "the imports"

    def fail_too_late(self, imports: str, retry: str) -> NoReturn:
        """Say that imports had not ended in time.

        :param imports: which, at the beginning of a sentence.
        :param retry: what the service and a retry do about them.
        :raises TimeoutError: always.
        """
        limit = limit_of_wait(self, self.timeout)
        raise TimeoutError(
            f"{imports} had not ended after {limit}. {retry} Raise {limit.name}= if the service takes longer."
        )
