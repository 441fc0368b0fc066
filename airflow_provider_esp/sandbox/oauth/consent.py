"""What a person sees: the list of applications with the form that registers one, the login, and the consent page.

`GET oauth/authorize` shows the login and then the question; the answer goes to the application's callback. An
application that is unknown, or a callback that is not the registered one, gets a page and never a redirect. The
vendor's pages are its own; these only have the same parts.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

from ..routing import Incoming, Routes
from ..store import Row
from ..ui.rendering import page
from . import registry
from .secure import over_tls

routes = Routes(open=True)

_COOKIE = "uaa_session"
_LOGIN_SECONDS = 1800
_PASSED_ON = ("response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method")


@routes("GET", "applications")
@over_tls
def applications(incoming: Incoming) -> Response:
    """Return the page with the applications and a form to register one."""
    rows = registry.APPLICATIONS.rows(incoming.state, "", 100, 0)
    return page("oauth/applications.html", "For partners", applications=rows, rights=registry.RIGHTS)


@routes("POST", "applications")
@over_tls
def register(incoming: Incoming) -> Response:
    """Register an application and show its id and secret, once."""
    name, callback, scope = (incoming.form.get(field, "").strip() for field in ("name", "callback", "scope"))
    if not (name and urlsplit(callback).scheme in ("http", "https") and scope in registry.RIGHTS):
        reason = "A name, a callback URL and a right are required."
        return page("oauth/refused.html", "Not registered", 400, reason=reason)
    client_id, secret = registry.add(incoming.state, name, callback=callback, scope=scope)
    pairs = [
        ("Client ID", client_id),
        ("Client Secret", secret),
        ("Callback URL", callback),
        ("Right", registry.RIGHTS[scope]),
    ]
    return page("oauth/registered.html", "Registered", pairs=pairs)


@routes("GET", "oauth/authorize")
@over_tls
def authorize(incoming: Incoming) -> Response:
    """Ask a person to log in, and then whether the application may."""
    given = {name: incoming.query[name] for name in _PASSED_ON if name in incoming.query}
    app, problem = _application(incoming, given)
    if app is None:
        return _refused(problem)
    if given.get("response_type") != "code":
        return _back(given, error="unsupported_response_type")
    login = _login(incoming)
    if login is None:
        return _log_in_page(given)
    values = {
        "application": app["name"],
        "account": login["user"],
        "access": registry.RIGHTS[app["scope"]],
        "form": login["form"],
    }
    return _form("oauth/consent.html", "Consent", given, **values)


@routes("POST", "login")
@over_tls
def log_in(incoming: Incoming) -> Response:
    """Check a person's login and password."""
    given = {name: incoming.form[name] for name in _PASSED_ON if name in incoming.form}
    name, password = incoming.form.get("login", ""), incoming.form.get("password", "")
    if (name, password) != (registry.USER, registry.PASSWORD):
        return _log_in_page(given, is_wrong=True)
    session = secrets.token_urlsafe(24)
    ends = incoming.now + _LOGIN_SECONDS
    incoming.store.run("INSERT INTO uaa_logins VALUES (?, ?, ?, ?)", session, name, secrets.token_urlsafe(24), ends)
    response = RedirectResponse(f"/uaa/oauth/authorize?{urlencode(given)}", 303)
    response.set_cookie(
        _COOKIE, session, max_age=_LOGIN_SECONDS, path="/uaa", secure=True, httponly=True, samesite="lax"
    )
    return response


@routes("POST", "oauth/authorize")
@over_tls
def decide(incoming: Incoming) -> Response:
    """Send the person's decision to the callback."""
    given = {name: incoming.form[name] for name in _PASSED_ON if name in incoming.form}
    app, problem = _application(incoming, given)
    login = _login(incoming)
    if app is None or login is None or not hmac.compare_digest(incoming.form.get("form", ""), login["form"]):
        return _refused(problem or "Log in again.")
    if incoming.form.get("decision") != "allow":
        return _back(given, error="access_denied")
    challenge = given.get("code_challenge", "")
    if challenge and given.get("code_challenge_method") != "S256":
        return _back(given, error="invalid_request")
    code = registry.new_code(incoming.state, app["client_id"], login["user"], given["redirect_uri"], challenge)
    return _back(given, code=code)


def _application(incoming: Incoming, given: Mapping[str, str]) -> tuple[Row | None, str]:
    app = registry.application(incoming.store, given.get("client_id", ""))
    if app is None:
        return None, "There is no application with this client_id."
    if given.get("redirect_uri") != app["callback"]:
        return None, "The redirect_uri is not the callback that the application is registered with."
    return app, ""


def _login(incoming: Incoming) -> Row | None:
    cookies = dict(
        part.strip().partition("=")[::2] for part in incoming.headers.get("cookie", "").split(";") if "=" in part
    )
    return incoming.store.one(
        "SELECT * FROM uaa_logins WHERE session = ? AND expires > ?", cookies.get(_COOKIE, ""), incoming.now
    )


def _back(given: Mapping[str, str], **answer: str) -> Response:
    if "state" in given:
        answer["state"] = given["state"]
    glue = "&" if "?" in given["redirect_uri"] else "?"
    return RedirectResponse(f"{given['redirect_uri']}{glue}{urlencode(answer)}", 302, {"Cache-Control": "no-store"})


def _refused(reason: str) -> Response:
    return page("oauth/refused.html", "This request cannot be answered", 400, reason=reason)


def _log_in_page(given: Mapping[str, str], is_wrong: bool = False) -> Response:
    values = {"user": registry.USER, "password": registry.PASSWORD, "is_wrong": is_wrong}
    return _form("oauth/log_in.html", "Log in", given, 401 if is_wrong else 200, **values)


def _form(template: str, title: str, given: Mapping[str, str], status: int = 200, **values: Any) -> Response:
    """Return a page with a form that passes on the request for consent."""
    response = page(template, title, status, request=given, **values)
    # The form's answer redirects to the callback, which a browser counts as a place that the form is sent to.
    callback = urlsplit(given.get("redirect_uri", ""))
    if callback.scheme in ("http", "https"):
        policy = response.headers["Content-Security-Policy"]
        allowed = f"form-action 'self' {callback.scheme}://{callback.netloc}"
        response.headers["Content-Security-Policy"] = policy.replace("form-action 'self'", allowed)
    return response
