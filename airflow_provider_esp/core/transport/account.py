"""What a client knows of the account that it works for: where it is, how requests are authorised, which limits hold."""

from __future__ import annotations

import hashlib
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_esp.core.calls import Call, Service
from airflow_provider_esp.core.transport.retry import RetryPolicy
from airflow_provider_esp.core.transport.throttle import RateLimiter
from airflow_provider_esp.core.transport.tokens import TokenSource
from airflow_provider_esp.utils.redaction import hide_secrets


@dataclass(frozen=True, slots=True)
class Credential:
    """How requests of an account are authorised.

    :param identity: what the account is known by; only its hash is ever kept.
    :param header: a fixed ``Authorization`` header, or None.
    :param tokens: where bearer tokens come from, or None.
    :param explain: says what to do about a call that was refused for want of a right (401, 403); None leaves that to
        the service.
    :param secrets: what must not be read in anything that the service says, besides the header and the tokens.
    """

    identity: str = field(default="", repr=False)
    header: str | None = field(default=None, repr=False)
    tokens: TokenSource | None = None
    explain: Callable[[Call[Any]], str] | None = field(default=None, repr=False, compare=False)
    secrets: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        scheme, _, value = (self.header or "").partition(" ")
        hide_secrets(*self.secrets, value)
        if scheme == "Basic":
            try:
                pair = b64decode(value).decode()
            except ValueError:  # a header that the service will refuse
                return
            hide_secrets(pair, pair.partition(":")[2])


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds: for the connection, for any silence while an answer is awaited, for the whole request."""

    connect: float = 10.0
    silence: float = 60.0
    total: float = 300.0


@dataclass(frozen=True, slots=True)
class Account:
    """Everything a client knows of the account it works for.

    :param ca_bundle: a file with the certificates to trust instead of the usual ones, or None.
    """

    service: Service
    base_url: str
    credential: Credential
    throttle: RateLimiter
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    ca_bundle: str | None = None
    clock: Callable[[], float] = time.monotonic
    key: str = field(init=False, repr=False, compare=False)
    """What two accounts have in common that may share a client: everything that a request depends on."""

    def __post_init__(self) -> None:
        who = hashlib.blake2b(self.credential.identity.encode(), digest_size=16).hexdigest()
        key = repr((self.base_url, who, id(self.throttle), self.retry, self.timeouts, self.ca_bundle))
        object.__setattr__(self, "key", key)  # it is asked for with each look of a wait
