"""A real Airflow for the tests of a module, stopped at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.real_airflow import Airflow


@pytest.fixture(scope="module")
def start_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Airflow]]:
    """Make an `Airflow` in a home of its own, stopped at the end."""
    made: list[Airflow] = []

    def make(**settings: str) -> Airflow:
        made.append(Airflow(tmp_path_factory.mktemp("airflow"), settings))
        return made[-1]

    yield make
    for airflow in made:
        airflow.stop()
