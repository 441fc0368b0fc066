"""Arguments that only one of the services has."""

from __future__ import annotations

from collections.abc import Mapping


def refuse_mixture(*, esputnik: Mapping[str, bool], sendpulse: Mapping[str, bool]) -> None:
    """Refuse, where the DAG is written, arguments that no service takes together.

    :param esputnik: names of arguments that only eSputnik has, and whether the author gave them.
    :param sendpulse: likewise SendPulse's.
    :raises ValueError: the author gave some of both.
    """
    ours, theirs = ([name for name, given in group.items() if given] for group in (esputnik, sendpulse))
    if ours and theirs:
        raise ValueError(
            f"These arguments cannot be combined: {', '.join(ours)} (eSputnik) and {', '.join(theirs)} (SendPulse)."
        )
