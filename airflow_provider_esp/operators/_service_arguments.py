"""Arguments that only one of the services has."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_esp.options import ServiceOptions


def refuse_mixture(
    options: ServiceOptions | None = None, *, esputnik: Mapping[str, bool], sendpulse: Mapping[str, bool]
) -> None:
    """Refuse, where the DAG is written, arguments that no service takes together.

    :param options: those of one service that the author gave.
    :param esputnik: names of arguments that only eSputnik has, and whether the author gave them.
    :param sendpulse: likewise SendPulse's.
    :raises ValueError: the author gave some of both.
    """
    named = {
        "esputnik": [name for name, is_given in esputnik.items() if is_given],
        "sendpulse": [name for name, is_given in sendpulse.items() if is_given],
    }
    if options is not None:
        named.setdefault(options.service, []).append(f"options={type(options).__name__}")
    if named["esputnik"] and named["sendpulse"]:
        raise ValueError(
            f"These arguments cannot be combined: {', '.join(named['esputnik'])} (eSputnik) and "
            f"{', '.join(named['sendpulse'])} (SendPulse)."
        )
