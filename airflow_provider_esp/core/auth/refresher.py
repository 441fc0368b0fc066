"""When an application's tokens are renewed, and by whom: what stands between a token store and a `TokenSource`.

A refresh token works once, and a server may take its second use for theft and end everything. So whoever wants to
refresh reads the store first, takes the turn, reads again, refreshes with the last refresh token and saves before it
uses what it got. Whoever is refused all the same uses what another one saved.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.auth.token_set import TokenSet, command
from airflow_provider_esp.core.transport.tokens import Token
from airflow_provider_esp.exceptions import ConsentRequired, GrantRefused, RefreshTimeout, StoreShadowed, TokenError

if TYPE_CHECKING:
    from airflow_provider_esp.core.auth.oauth import Application
    from airflow_provider_esp.core.auth.token_store import TokenStore

log = logging.getLogger(__name__)

_HALF_LIFE = 0.5
# The keeper runs once a day, which is the half-life: a task that reads renews a little later, so that it rarely does.
_LATER = (0.02, 0.12)
_TOO_SHORT = 60.0
_TRY_AGAIN = 300.0
_PATIENCE = 180.0
_SAVES = 4
_PAUSES = (0.5, 2.0)


class TokenRefresher:
    """Gives an application's current token, renewing it when it is due; `fetch` is what a `TokenSource` wants.

    :param app: the application.
    :param store: where its tokens are kept.
    :param conn_id: the connection that errors name.
    :param clock: seconds since the epoch.
    :param wait_for_save: seconds for which a refused refresh waits for another process to save, where the store has
        no real lock.
    """

    def __init__(
        self,
        app: Application,
        store: TokenStore,
        conn_id: str,
        clock: Callable[[], float] = time.time,
        wait_for_save: float = 10.0,
    ) -> None:
        self._app = app
        self._store = store
        self._conn_id = conn_id
        self._clock = clock
        self._wait_for_save = 0.0 if store.locked else wait_for_save
        self._share = _HALF_LIFE + random.uniform(*_LATER)
        self._unsaved: TokenSet | None = None
        self._ours = ""
        self._in_vain = ""
        self._in_vain_until = 0.0

    def fetch(self, refused: Token | None) -> Token:
        """Return a token that is not the refused one, and fresh enough.

        :param refused: the token that the service did not take, or None.
        :raises ConsentRequired: a person has to consent.
        :raises EspError: it could not be renewed, and the old one is of no use.
        """
        bad = refused.value if refused else None
        if bad is not None and bad == self._in_vain and self._clock() < self._in_vain_until:
            # It came from a refresh just now: another would change nothing. The refusal is about something else.
            return self._token(self._load())
        grant = self._renewed(bad, self._share)
        if bad is not None and grant.access_token == self._ours:
            self._in_vain, self._in_vain_until = grant.access_token, self._clock() + _TOO_SHORT
        return self._token(grant)

    def stored(self) -> TokenSet:
        """Return what the store holds.

        :raises ConsentRequired: it holds nothing.
        """
        return self._load()

    def keep(self, age: float) -> TokenSet:
        """Renew the tokens if they are older than `age` seconds; for whoever keeps them alive.

        :raises ConsentRequired: a person has to consent.
        :raises EspError: they could not be renewed.
        """
        grant = self._load()
        if self._clock() - grant.issued_at <= age:
            return grant
        return self._renewed(None, age / grant.lifetime if grant.lifetime else 0.0, strict=True)

    def _renewed(self, bad: str | None, share: float, strict: bool = False) -> TokenSet:
        """Return a grant whose token is neither `bad` nor too old, renewed by us or by another.

        :param share: part of a token's life after which it is due.
        :param strict: whether a due renewal that fails is an error although the token still works.
        """
        seen = self._load()
        if self._is_fresh(seen, bad, share):
            return seen
        needed = strict or not self._works(seen, bad)

        def enough() -> bool:
            return self._is_fresh(self._load(), bad, share)

        with self._store.turn(enough, _PATIENCE if needed else 0.0) as mine:
            grant = self._load()
            if self._is_fresh(grant, bad, share):
                return grant
            if mine:
                return self._refreshed(grant, bad, strict)
        if needed:
            raise RefreshTimeout(f"another process has been renewing the tokens of {self._conn_id!r} for too long")
        return seen

    def _refreshed(self, grant: TokenSet, bad: str | None, strict: bool) -> TokenSet:
        try:
            if grant.refresh_expires_at <= self._clock():
                raise GrantRefused("the refresh token has ended: it was not used for 30 days")
            fresh = self._ask(grant)
        except GrantRefused as refusal:
            saved = self._saved_by_another(grant)
            if saved is not None:
                return saved
            return self._go_on(grant, bad, strict, self._consent_needed(refusal))
        except exceptions.EspError as failure:
            return self._go_on(grant, bad, strict, failure)
        self._unsaved = fresh
        self._ours = fresh.access_token
        return self._save(fresh)

    def _ask(self, grant: TokenSet) -> TokenSet:
        """Refresh, trying again where the request certainly never left."""
        from airflow_provider_esp.core.auth import oauth

        for pause in _PAUSES:
            try:
                return oauth.refresh(self._app, grant, self._clock)
            except exceptions.ConnectionFailed:
                time.sleep(pause)
        return oauth.refresh(self._app, grant, self._clock)

    def _saved_by_another(self, grant: TokenSet) -> TokenSet | None:
        """Wait for a newer grant than the one whose refresh token was refused."""
        end = time.monotonic() + self._wait_for_save
        while True:
            kept = self._load()
            if kept.refresh_token != grant.refresh_token:
                return kept
            if time.monotonic() >= end:
                return None
            time.sleep(random.uniform(0.2, 0.4))

    def _go_on(self, grant: TokenSet, bad: str | None, strict: bool, failure: exceptions.EspError) -> TokenSet:
        """Use what works still, where the renewal was ahead of time."""
        if strict or not self._works(grant, bad):
            raise failure
        left = (grant.expires_at - self._clock()) / 3600
        log.warning("The access token of %r still works for %.1f h, but: %s", self._conn_id, left, failure)
        return grant

    def _consent_needed(self, refusal: GrantRefused) -> ConsentRequired:
        return ConsentRequired(
            f"connection {self._conn_id!r} has no token that can be renewed: {refusal.message}",
            status=refusal.status,
            code=refusal.code,
            advice=f"A person has to consent again: {command(self._conn_id)}",
        )

    def _load(self) -> TokenSet:
        if self._unsaved is not None:
            self._save(self._unsaved)
        grant = self._store.load()
        if grant is None:
            raise ConsentRequired(
                f"connection {self._conn_id!r} is not authorised: there are no tokens in {self._store.title}",
                advice=f"A person has to consent: {command(self._conn_id)}",
            )
        return grant

    def _save(self, grant: TokenSet) -> TokenSet:
        """Save what cannot be had a second time, trying more than once; kept in memory until it is saved."""
        for attempt in range(1, _SAVES + 1):
            try:
                kept = self._store.save(grant)
            except StoreShadowed:
                self._unsaved = None  # it was written; only reading it back meets something else
                raise
            except Exception as error:
                # Whatever the store is made of: these tokens are in our hands only, so one failure must not lose them.
                if attempt == _SAVES:
                    raise _not_saved(self._conn_id, self._store.title, error) from error
                time.sleep(0.3 * 2**attempt)
            else:
                self._unsaved = None
                return kept
        raise AssertionError("the loop returns or raises")

    def _is_fresh(self, grant: TokenSet, bad: str | None, share: float) -> bool:
        return self._works(grant, bad) and self._clock() < grant.issued_at + grant.lifetime * share

    def _works(self, grant: TokenSet, bad: str | None) -> bool:
        return grant.access_token != bad and self._clock() < grant.expires_at - min(_TOO_SHORT, grant.lifetime / 10)

    def _token(self, grant: TokenSet) -> Token:
        due = grant.issued_at + grant.lifetime * self._share
        if due <= self._clock():  # it should have been renewed, and could not be: not at every request again
            due = self._clock() + _TRY_AGAIN
        last = grant.expires_at - min(_TOO_SHORT, grant.lifetime / 10)
        from_store = grant.access_token != self._ours
        return Token(grant.access_token, grant.issued_at, grant.expires_at, min(due, last), from_store)


def _not_saved(conn_id: str, title: str, error: Exception) -> TokenError:
    said = error.message if isinstance(error, exceptions.EspError) else type(error).__name__
    return TokenError(
        f"the new tokens of {conn_id!r} could not be saved in {title}: {said}",
        advice=f"The old ones no longer work. See to the store, then: {command(conn_id)}",
    )
