"""Servers on loopback that tests talk to. Where one does not answer its tests are skipped; in CI that is a failure."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

POSTGRES = os.environ.get("ESP_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
MYSQL = os.environ.get("ESP_TEST_MYSQL", "mysql://root@127.0.0.1:3306/")
REDIS = os.environ.get("ESP_TEST_REDIS", "redis://127.0.0.1:6379/0")


def require_server(uri: str, what: str, variable: str) -> None:
    """Skip the test where no server answers; in CI that is a failure."""
    where = urlsplit(uri)
    try:
        socket.create_connection((where.hostname or "", where.port or 0), timeout=2).close()
    except OSError:
        reason = f"no {what} answers at {uri}; {variable} names another"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and in CI it is required")
        pytest.skip(reason)


def require_module(name: str) -> Any:
    """Import a driver or a provider, or skip the test where it is not installed; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        return import_module(name)
    return pytest.importorskip(name, reason=f"{name} is not installed")


@contextmanager
def callback_port() -> Iterator[None]:
    """Have the port of OAuth's callback to oneself: it is registered, so every suite on this machine uses the same."""
    with (Path(tempfile.gettempdir()) / f"airflow-provider-esp-callback-{os.getuid()}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
