"""OAuth 2.0 with an authorisation server, by requests-oauthlib: the authorize URL, the code's exchange, the refresh.

Everything goes over verified TLS and to the named host only: redirects are not followed, since a POST that follows one
would hand the client's secret on. The libraries below write whole requests into their debug logs; those lines are kept
out of ours. requests and its family cost a third of a second to import, so they are imported when first needed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.auth.token_set import TokenSet
from airflow_provider_esp.core.transport.requests_session import restrain
from airflow_provider_esp.core.transport.retry import retry_after as seconds_to_wait
from airflow_provider_esp.exceptions import ApplicationRefused, BodyRefused, GrantRefused, TokenError, UnusableProxy
from airflow_provider_esp.utils.redaction import hide_secrets, redact

if TYPE_CHECKING:
    import requests
    from requests_oauthlib import OAuth2Session

ACCESS_LIFETIME, REFRESH_LIFETIME = 172_800.0, 2_592_000.0
"""Seconds that the vendor gives an access token and a refresh token, from when they were made."""

_TIMEOUT = _CONNECT, _SILENCE = 10.0, 30.0
_LONGEST_QUOTE = 200
_TEXTS = ("access_token", "refresh_token", "token_type", "scope", "error", "error_description", "error_uri")


@dataclass(frozen=True, slots=True)
class Application:
    """An application as it is registered, and the server it is registered at.

    :param authorize_url: where a person consents.
    :param token_url: where codes and refresh tokens are exchanged.
    :param redirect_uri: the registered callback.
    :param credentials_in: ``header`` (HTTP Basic, and a form body) or ``query``: the vendor shows both.
    :param send_code: whether a refresh carries the authorization code and the callback as well, as the vendor's text
        asks and the flow does not need.
    :param ca_bundle: a file with the certificates to trust instead of the usual ones, or None.
    """

    client_id: str
    client_secret: str = field(repr=False)
    authorize_url: str
    token_url: str
    redirect_uri: str
    credentials_in: str = "header"
    send_code: bool = False
    ca_bundle: str | None = None


def authorize_url(app: Application, state: str, verifier: str) -> str:
    """Return the address at which a person consents.

    :param state: a random text that must come back with the code.
    :param verifier: a random text that proves at the exchange who asked (PKCE, RFC 7636): its hash goes into the
        address. The vendor documents no PKCE, and a server that knows none must ignore it (RFC 6749, 3.1).
    """
    from requests_oauthlib import OAuth2Session

    url, _ = OAuth2Session(app.client_id, redirect_uri=app.redirect_uri).authorization_url(
        app.authorize_url, state=state, code_challenge=challenge_of(verifier), code_challenge_method="S256"
    )
    return str(url)


def challenge_of(verifier: str) -> str:
    """Return the hash of a verifier that goes with the question: S256 of RFC 7636."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def exchange_code(
    app: Application, code: str, clock: Callable[[], float] = time.time, *, verifier: str = ""
) -> TokenSet:
    """Exchange an authorization code for tokens: `POST oauth/token`, ``grant_type=authorization_code``.

    :param verifier: the one that `authorize_url` was given; empty where the code was asked for without one.
    :raises GrantRefused: the code was used before or has expired.
    :raises ApplicationRefused: the client's id, secret or callback is wrong.
    :raises EspError: the server could not be reached or failed.
    """

    def ask(session: OAuth2Session) -> Mapping[str, Any]:
        fields: dict[str, Any] = {"code": code, "timeout": _TIMEOUT}
        if verifier:
            fields["code_verifier"] = verifier
        if app.credentials_in == "query":
            fields |= {"include_client_id": True, "client_secret": app.client_secret, "force_querystring": True}
        else:
            fields["auth"] = _basic(app)
        return session.fetch_token(app.token_url, **fields)

    kept = code if app.send_code else ""
    return _granted(app, ask, (code, verifier), clock, code=kept)


def refresh(app: Application, grant: TokenSet, clock: Callable[[], float] = time.time) -> TokenSet:
    """Exchange a refresh token for new tokens: `POST oauth/token`, ``grant_type=refresh_token``.

    Not tried again where the answer was lost: the server may have replaced the token, and then takes it no more.

    :param grant: its refresh token must be the last one received.
    :returns: later than `grant`.
    :raises GrantRefused: the refresh token was used before, revoked, or has expired.
    :raises ApplicationRefused: the client's id or secret is wrong.
    :raises EspError: the server could not be reached or failed.
    """

    def ask(session: OAuth2Session) -> Mapping[str, Any]:
        fields: dict[str, Any] = {"refresh_token": grant.refresh_token, "timeout": _TIMEOUT}
        if app.send_code and grant.code:
            fields |= {"code": grant.code, "redirect_uri": app.redirect_uri}
        if app.credentials_in == "query":
            session.register_compliance_hook("refresh_token_request", _into_query)  # type: ignore[call-overload]  # the stubs miss it
            fields |= {"client_id": app.client_id, "client_secret": app.client_secret}
        else:
            fields["auth"] = _basic(app)
        return session.refresh_token(app.token_url, **fields)

    fresh = _granted(app, ask, grant.secrets, clock, code=grant.code, previous=grant.refresh_token)
    # Workers' clocks differ; the order of grants must not.
    return replace(fresh, issued_at=max(fresh.issued_at, grant.issued_at + 0.001))


def _session(app: Application) -> OAuth2Session:
    from requests_oauthlib import OAuth2Session

    _quieten()
    session = OAuth2Session(app.client_id, redirect_uri=app.redirect_uri)
    restrain(session, app.token_url, app.ca_bundle)
    session.headers["Accept"] = "application/json"
    for kind in ("access_token_response", "refresh_token_response"):
        session.register_compliance_hook(kind, _check)
    return session


def _basic(app: Application) -> Any:
    from requests.auth import HTTPBasicAuth

    return HTTPBasicAuth(app.client_id, app.client_secret)


def _into_query(url: str, headers: dict[str, str], body: str) -> tuple[str, dict[str, str], str]:
    return f"{url}{'&' if '?' in url else '?'}{body}", headers, ""


class _Failed(Exception):
    """The server's answer is none that holds a token or an OAuth error."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.retry_after = seconds_to_wait(retry_after)


def _check(response: requests.Response) -> requests.Response:
    """Let pass what is JSON with a token or an OAuth error in it: oauthlib would read anything else as a form.

    Of the answer only the fields that are used go on, and only where they are what they should be: a server's odd
    ``expires_in`` may not cost the tokens beside it, which it gives only once.
    """
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or response.status_code >= 500 or response.status_code == 429:
        raise _Failed(response.status_code, response.headers.get("Retry-After"))
    if response.status_code >= 400 and not isinstance(answer.get("error"), str):
        raise _Failed(response.status_code, None)
    response._content = json.dumps(_usable(answer)).encode()
    return response


def _usable(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an answer that can be used."""
    usable = {name: answer[name] for name in _TEXTS if isinstance(answer.get(name), str)}
    scope = answer.get("scope")
    if isinstance(scope, list):
        usable["scope"] = " ".join(part for part in scope if isinstance(part, str))
    seconds = _seconds(answer.get("expires_in"))
    return usable if seconds is None else {**usable, "expires_in": seconds}


def _seconds(value: object) -> float | None:
    """Read ``expires_in``; None where it is not a number of seconds above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(seconds, REFRESH_LIFETIME) if seconds > 0 else None


def _granted(
    app: Application,
    ask: Callable[[OAuth2Session], Mapping[str, Any]],
    secrets: tuple[str, ...],
    clock: Callable[[], float],
    *,
    code: str,
    previous: str = "",
) -> TokenSet:
    import requests

    hide_secrets(*secrets, app.client_secret, f"{app.client_id}:{app.client_secret}")
    from oauthlib.oauth2.rfc6749.errors import OAuth2Error

    asked_at = clock()
    try:
        with _session(app) as session:
            answer = dict(ask(session))
    except OAuth2Error as error:
        raise _refused(error) from None
    except _Failed as failure:
        raise _failed(failure) from None
    except BodyRefused as refused:
        raise exceptions.UnexpectedResponse(
            str(refused), method=_METHOD, service=_SERVER, outcome_unknown=True
        ) from None
    except UnusableProxy as unusable:
        raise exceptions.ConnectionFailed(str(unusable), method=_METHOD, service=_SERVER) from None
    except requests.RequestException as error:
        raise _lost(error) from None
    return _grant(answer, asked_at, code, previous)


def _grant(answer: Mapping[str, Any], asked_at: float, code: str, previous: str) -> TokenSet:
    """Make a grant of the answer's tokens, whatever else it says.

    :param previous: the refresh token that was exchanged, which goes on where the answer holds no other (RFC 6749, 6);
        empty where a code was.
    """
    access, fresh = answer.get("access_token"), answer.get("refresh_token") or previous
    if not (access and fresh):
        raise exceptions.UnexpectedResponse(
            "the answer holds no usable access token and refresh token", method=_METHOD, service=_SERVER
        )
    seconds = answer.get("expires_in", ACCESS_LIFETIME)  # if it ends earlier, the API says so and it is renewed
    scope = answer.get("scope") or ""
    scope = " ".join(scope) if isinstance(scope, list) else str(scope)
    # A living token may be given again with what is left of it; the refresh token beside it is as old, and the answer
    # does not say when it ends.
    made_at = asked_at - max(0.0, ACCESS_LIFETIME - seconds)
    return TokenSet(access, fresh, asked_at, asked_at + seconds, made_at + REFRESH_LIFETIME, scope, code)


_TOKEN = re.compile(r"(?=.*\d)[\w-]{20,}").fullmatch  # no name of an OAuth error holds a digit
_SERVER, _METHOD = "The authorisation server", "POST oauth/token"


def _refused(error: Any) -> TokenError:
    """Make oauthlib's error ours; the server's own words may quote what was sent to it, in any field."""
    said = re.sub(r"[A-Za-z0-9_.~+/=-]{20,}", "[hidden]", redact(str(error.description or "")))
    name = re.sub(r"[^\w-]", "", redact(str(error.error or "error")))[:40]
    name = "error" if _TOKEN(name) else name
    quoted = f"{name}: {said[:_LONGEST_QUOTE]}" if said else name
    facts = {"service": _SERVER, "method": _METHOD, "status": error.status_code, "code": name}
    match name:
        case "invalid_grant":
            return GrantRefused(f"the code or refresh token is refused ({quoted})", **facts)
        case "invalid_client" | "unauthorized" | "unauthorized_client" | "redirect_uri_mismatch":
            return ApplicationRefused(f"the application is refused ({quoted})", **facts)
    return TokenError(f"the request is refused ({quoted})", **facts)


def _failed(failure: _Failed) -> exceptions.EspError:
    kind: type[exceptions.EspError] = exceptions.UnexpectedResponse
    if failure.status >= 500:
        kind = exceptions.ServerFailed
    elif failure.status == 429:
        kind = exceptions.RateLimited
    return kind(
        "it answered with something that is neither a token nor an OAuth error",
        service=_SERVER,
        method=_METHOD,
        status=failure.status,
        retry_after=failure.retry_after,
        outcome_unknown=failure.status != 429,
    )


def _lost(error: requests.RequestException) -> exceptions.EspError:
    """Return what happened to a request without quoting its URL, which may hold the client's secret."""
    import requests

    facts = {"service": _SERVER, "method": _METHOD}
    match error:
        case requests.exceptions.SSLError():
            return exceptions.ConnectionFailed(
                "its certificate is not trusted, or TLS failed",
                advice="Name the CA that signed it in the connection's ca_bundle, if it is a company's own.",
                **facts,
            )
        case requests.exceptions.ConnectTimeout():
            return exceptions.ConnectionFailed(f"no connection within {_CONNECT:g} s", **facts)
        case requests.exceptions.Timeout():
            return exceptions.TimedOut(f"no answer within {_SILENCE:g} s", outcome_unknown=True, **facts)
        case requests.exceptions.TooManyRedirects():
            return exceptions.UnexpectedResponse(
                "it redirects, and a request with the client's secret follows no redirect",
                advice="Put the final address into the connection's token_url.",
                **facts,
            )
        case requests.exceptions.ConnectionError() if _never_left(error):
            return exceptions.ConnectionFailed("no connection", **facts)
    return exceptions.ConnectionLost("the connection broke before the whole answer came", outcome_unknown=True, **facts)


def _never_left(error: BaseException) -> bool:
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return isinstance(cause, NewConnectionError)


class _Debug(logging.Filter):
    """Drop debug lines: they hold tokens, codes and secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


class _TokenRequests(logging.Filter):
    """Drop urllib3's lines about token requests whose credentials go into the query: they quote it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "grant_type=" not in record.getMessage()


_debug, _token_requests = _Debug(), _TokenRequests()


def _quieten() -> None:
    # Airflow can be told to log everything. Adding a filter that is there already changes nothing.
    for name in ("requests_oauthlib.oauth2_session", "oauthlib"):
        logging.getLogger(name).addFilter(_debug)
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_token_requests)
