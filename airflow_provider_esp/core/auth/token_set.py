"""What a consent is worth: the two tokens with their times, how they are written down, and what can be wrong with them.

A `TokenSet` is kept as JSON wherever a token store keeps it. Its issue time orders grants: a store never puts an older
one in the place of a newer one, and a refreshed grant is always later than the one it came from, whatever the clocks
of two workers say.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_esp.exceptions import TokensUnreadable

_VERSION = 1


@dataclass(frozen=True, slots=True)
class TokenSet:
    """An access token, the refresh token that belongs to it, and their times; no token shows in a `repr`.

    :param issued_at: when the server gave it, seconds since the epoch; later than that of every grant before it.
    :param expires_at: end of the access token, seconds since the epoch.
    :param refresh_expires_at: end of the refresh token, seconds since the epoch.
    :param scope: what the server called its rights.
    :param code: the authorization code it came from, kept only where the server wants to see it again.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    issued_at: float
    expires_at: float
    refresh_expires_at: float
    scope: str = ""
    code: str = field(default="", repr=False)

    @property
    def lifetime(self) -> float:
        """Seconds that the access token was given for."""
        return self.expires_at - self.issued_at

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything in it that must not be seen."""
        return tuple(value for value in (self.access_token, self.refresh_token, self.code) if value)

    def to_json(self) -> str:
        """Write it down."""
        return json.dumps({"version": _VERSION, **dataclasses.asdict(self)}, sort_keys=True)


def grant_from_json(text: str, place: str) -> TokenSet:
    """Read a grant that `TokenSet.to_json` wrote.

    :param place: where it was found, for people, e.g. ``the file /etc/airflow/tokens.json``.
    :raises TokensUnreadable: it is something else.
    """
    try:
        kept = json.loads(text)
    except (ValueError, RecursionError):
        raise TokensUnreadable(f"what stands in {place} is not JSON") from None
    if not isinstance(kept, dict) or kept.pop("version", None) != _VERSION:
        raise TokensUnreadable(f"what stands in {place} is not a record of tokens")
    for wanted in dataclasses.fields(TokenSet):
        if not _fits(kept.get(wanted.name, wanted.default), wanted.name):
            raise TokensUnreadable(f"{place} has no usable {wanted.name}")
    known = {wanted.name for wanted in dataclasses.fields(TokenSet)}
    return TokenSet(**{name: value for name, value in kept.items() if name in known})


def _fits(value: Any, name: str) -> bool:
    if name in ("scope", "code"):
        return isinstance(value, str)
    if name.endswith("_at"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) and bool(value)


def slot_name(token_url: str, client_id: str, token_key: str) -> str:
    """Name the place where an application's tokens are kept.

    By the application and never by the connection's id: Airflow's *Test connection* runs under a random one. The name
    has ``token`` in it, which makes Airflow hide the value of a Variable called so.

    :param token_key: tells two accounts apart that consented to the same application; usually empty.
    """
    digest = hashlib.blake2b(f"{token_url}\n{client_id}\n{token_key}".encode(), digest_size=10).hexdigest()
    return f"esp_oauth_token_{digest}"


def command(conn_id: str) -> str:
    """Return the command by which a person consents."""
    return f"python -m airflow_provider_esp authorize --conn-id {conn_id}"
