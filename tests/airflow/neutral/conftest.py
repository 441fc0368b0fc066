"""The three services that the neutral suite is held against, each over real sockets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parents[3])]

from airflow_provider_esp.hooks.esp import EspHook  # noqa: E402  # needs the path above
from airflow_provider_esp.hooks.esputnik import EsputnikHook  # noqa: E402  # needs the path above
from airflow_provider_esp.hooks.sendpulse import SendPulseHook  # noqa: E402  # needs the path above
from airflow_provider_esp.sandbox import Sandbox  # noqa: E402  # needs the path above
from tests.airflow.toy_service.hook import ToyHook  # noqa: E402  # needs the path above
from tests.airflow.toy_service.server import KEY, Toy  # noqa: E402  # needs the path above


@dataclass
class Stage:
    """One service under test.

    :param make: the hook's class.
    :param connection: of Airflow, as JSON.
    :param owner: whose account it is.
    :param message: options of a message that is there.
    :param upload: options of an upload that works.
    :param contacts: how many contacts the service has now.
    :param messages: how many messages it has sent.
    :param events: how many events it was told.
    :param cannot: works that the service refuses by name, and how the hook is asked for them.
    """

    make: type[EspHook]
    connection: dict[str, Any]
    owner: str
    message: dict[str, Any]
    upload: dict[str, Any]
    contacts: Callable[[], int]
    messages: Callable[[], int]
    events: Callable[[], int]
    cannot: Mapping[str, Callable[[EspHook], Any]] = field(default_factory=dict)

    def wrong(self) -> dict[str, Any]:
        """Give the connection with another credential."""
        return {**self.connection, "password": "another-key-567"}


def _upload(**options: Any) -> Callable[[EspHook], Any]:
    from airflow_provider_esp.core.models import UploadOptions

    return lambda hook: hook.run(hook.adapter.upload(UploadOptions(**options)))


def _message(**options: Any) -> Callable[[EspHook], Any]:
    from airflow_provider_esp.core.models import MessageOptions

    return lambda hook: hook.adapter.send_messages(MessageOptions("1", **options))


@pytest.fixture(params=["esputnik", "sendpulse", "toy"])
def stage(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Stage]:
    """A service, fresh."""
    sandbox.set(import_seconds=0.1, delivery_seconds=0.05)
    if request.param == "esputnik":
        yield _esputnik(sandbox)
    elif request.param == "sendpulse":
        yield _sendpulse(sandbox)
    else:
        with Toy() as toy:
            yield _toy(toy)


def _esputnik(sandbox: Sandbox) -> Stage:
    return Stage(
        make=EsputnikHook,
        connection={"conn_type": "esputnik", "host": sandbox.esputnik_url, "password": "sandbox-key"},
        owner="Sandbox",
        message={"message_id": "1001"},
        upload={},
        contacts=lambda: sandbox.counts()["esputnik"]["contacts"],
        messages=lambda: len(sandbox.messages()),
        events=lambda: sandbox.counts()["esputnik"]["events"],
        cannot={
            "ask people in an upload to confirm": _upload(confirmation="a@example.com"),
            "give a prepared message another subject": _message(subject="x"),
            "list who has unsubscribed": lambda hook: hook.run(hook.adapter.unsubscribed(print)),
        },
    )


def _sendpulse(sandbox: Sandbox) -> Stage:
    return Stage(
        make=SendPulseHook,
        connection={
            "conn_type": "sendpulse",
            "host": sandbox.sendpulse_url,
            "login": "sandbox-id",
            "password": "sandbox-secret",
            "extra": {"sender_email": "sender@sandbox.example"},
        },
        owner="Sandbox",
        message={"message_id": "700001", "subject": "Hello"},
        upload={"segments": ("Newsletter",), "create_segments": True},
        contacts=lambda: sandbox.counts()["sendpulse"]["contacts"],
        messages=lambda: len(sandbox.messages()),
        events=lambda: sandbox.counts()["sendpulse"]["events"],
        cannot={
            "take contacts out of segments": _upload(segments=("a",), segments_exclude=("b",)),
            "label a message": _message(external_request_id="x"),
            "tell how far an import is": lambda hook: hook.adapter.import_state("1"),
        },
    )


def _toy(toy: Toy) -> Stage:
    return Stage(
        make=ToyHook,
        connection={"conn_type": "toy", "host": toy.url, "password": KEY},
        owner="Toy and Sons",
        message={"message_id": "1"},
        upload={},
        contacts=lambda: len(toy.contacts),
        messages=lambda: len(toy.sent),
        events=lambda: len(toy.events),
        cannot={
            "put contacts into segments": _upload(segments=("a",)),
            "label a message": _message(external_request_id="x"),
            "tell the address of a message": lambda hook: hook.adapter.message_url("1"),
            "tell what happens at an account": lambda hook: hook.adapter.account_watcher(None),  # type: ignore[arg-type]  # refused unread
            "list who has unsubscribed": lambda hook: hook.adapter.unsubscribed(print),
        },
    )


@pytest.fixture
def hook(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[EspHook]:
    """The service's hook, on a connection from the environment."""
    monkeypatch.setenv("AIRFLOW_CONN_NEUTRAL", json.dumps(stage.connection))
    hook = stage.make("neutral")
    yield hook
    hook.close()
