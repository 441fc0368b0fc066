"""The page's routes in Airflow's real app, asked by people with different rights."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import airflow
import pytest

VERSION = tuple(int(number) for number in airflow.__version__.split(".")[:2])
HAS_PAGE = VERSION >= (3, 1)

collect_ignore_glob = [] if HAS_PAGE else ["test_*.py"]

BASE_URL = "https://airflow.example"

PEOPLE = {"viewer": "VIEWER", "editor": "USER", "operator": "OP", "admin": "ADMIN"}
"""Who asks, by the role that SimpleAuthManager knows."""


@pytest.fixture(scope="session")
def airflow_app(airflow_db: Path) -> Iterator[Any]:
    """Airflow's own app, with the plugin mounted as the API server mounts it."""
    from airflow.api_fastapi.app import create_app
    from starlette.testclient import TestClient

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"):
            patch.setenv(name, secrets.token_hex(32))
        with TestClient(create_app(), base_url=BASE_URL) as client:
            yield client.app


@pytest.fixture
def as_person(airflow_app: Any) -> Callable[..., Any]:
    """Give a client of somebody: a name out of `PEOPLE`, or ``anonymous``."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.testclient import TestClient

    def client(who: str, name: str | None = None) -> Any:
        cookies = {}
        if who != "anonymous":
            user = SimpleAuthManagerUser(username=name or who, role=PEOPLE[who])
            cookies = {"_token": get_auth_manager().generate_jwt(user)}
        return TestClient(airflow_app, base_url=BASE_URL, cookies=cookies, follow_redirects=False)

    return client
