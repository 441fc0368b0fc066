"""The arguments `send_key` and `sent_path` of sends, from what an author writes to the hold on a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_esp.core.ledger import SendRecord
    from airflow_provider_esp.core.patience import Patience
    from airflow_provider_esp.core.send.send_key import SendKey
    from airflow_provider_esp.core.stopping import Stop
    from airflow_provider_esp.core.validation.suppression import LeavesOut, Suppression
    from airflow_provider_esp.utils.task_identity import TaskIdentity


def check_send_key(send_key: str | None, sent_path: str | None) -> None:
    """Refuse, where the DAG is written, a key of which nothing would be remembered.

    :raises ValueError: it is.
    """
    if send_key is not None and not sent_path:
        raise ValueError(
            "send_key= needs sent_path=, a folder in which it is kept who was reached: on a disk that every worker "
            "sees, or in an object store."
        )


def key_of(send_key: str | None, sent_path: str | None) -> str | None:
    """Return the key once it is rendered; None where there is none.

    :raises ValueError: a template has come to nothing: then everything would share one key.
    """
    if send_key is None:
        return None
    for name, value in (("send_key", send_key), ("sent_path", sent_path)):
        if str(value).strip() in ("", "None"):
            raise ValueError(f"{name}= is empty once it is rendered: correct its template. Nothing was sent.")
    return str(send_key).strip()


@contextmanager
def held_key(
    key: str,
    sent_path: str,
    identity: TaskIdentity,
    record: SendRecord,
    *,
    keep: timedelta,
    patience: Patience,
    stop: Stop,
    resend: bool,
    is_dry: bool,
) -> Iterator[SendKey]:
    """Hold a key as long as something is sent under it.

    :param identity: of this task instance.
    :param record: of its ledger.
    :param keep: for how long somebody who is reached counts as reached.
    :param patience: how long the folder may refuse.
    :param resend: whether a send that has finished is to begin anew.
    :param is_dry: whether nothing is sent, and nothing written.
    :raises SendKeyTaken: another task sends under it, and did not end in time.
    """
    from airflow_provider_esp.core.send.key_folder import KeyFolder
    from airflow_provider_esp.core.send.send_key import SendKey
    from airflow_provider_esp.utils.paths import private_path

    folder = KeyFolder(private_path(sent_path, "sent_path"), key, patience)
    held = SendKey(folder, key, str(identity), identity.digest(8), keep, stop=stop, pause=stop.pause)
    anew = bool(record.finished_at) and resend
    nothing_left = bool(record.sent_at) and not record.too_many_refused and not anew
    try:
        held.take(record, resend=anew, only_look=is_dry or nothing_left)
        yield held
    finally:
        held.release()


def leaving_out(held: SendKey | None, suppression: Suppression | None) -> LeavesOut | None:
    """Return who is left out: whom the author names, and whom others have reached under the key.

    :param held: the hold on the key; None where there is no key.
    """
    if held is None:
        return suppression
    from airflow_provider_esp.core.send.send_key import ReachedBefore

    return ReachedBefore(held, suppression)
