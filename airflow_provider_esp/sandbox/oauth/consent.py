"""What a person sees: the list of applications with the form that registers one, the login, and the consent page.

`GET oauth/authorize` shows the login and then the question; the answer goes to the application's callback. An
application that is unknown, or a callback that is not the registered one, gets a page and never a redirect. The
vendor's pages are its own; these only have the same parts.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

from ..routing import Incoming, Routes
from ..store import Row
from ..ui.html import document, facts, grid
from . import registry
from .secure import over_tls

routes = Routes(open=True)

_COOKIE = "uaa_session"
_LOGIN_SECONDS = 1800
_PASSED_ON = ("response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method")


@routes("GET", "applications")
@over_tls
def applications(incoming: Incoming) -> Response:
    """The applications there are, and a form for one more."""
    rows = registry.APPLICATIONS.rows(incoming.state, "", 100, 0)
    options = "".join(
        f'<option value="{escape(key)}">{escape(label)}</option>' for key, label in registry.RIGHTS.items()
    )
    body = [
        grid(("name", "client_id", "callback", "scope"), rows),
        "<h2>Register an application</h2>",
        '<form method="post" action="/uaa/applications" class="tall">'
        '<input name="name" placeholder="Name" aria-label="Name" required>'
        '<input name="callback" placeholder="Callback URL" aria-label="Callback URL" required>'
        f'<select name="scope" aria-label="Right">{options}</select>'
        "<button>Register</button></form>",
    ]
    return document("For partners", body)


@routes("POST", "applications")
@over_tls
def register(incoming: Incoming) -> Response:
    """Register an application and show its id and secret, once."""
    name, callback, scope = (incoming.form.get(field, "").strip() for field in ("name", "callback", "scope"))
    if not (name and urlsplit(callback).scheme in ("http", "https") and scope in registry.RIGHTS):
        return document("Not registered", ["<p>It needs a name, a callback URL and a right.</p>"], status=400)
    client_id, secret = registry.add(incoming.state, name, callback=callback, scope=scope)
    pairs = [("Client ID", client_id), ("Client Secret", secret), ("Callback URL", callback)]
    return document("Registered", [facts([*pairs, ("Right", registry.RIGHTS[scope])])])


@routes("GET", "oauth/authorize")
@over_tls
def authorize(incoming: Incoming) -> Response:
    """Ask a person to log in, and then whether the application may."""
    given = {name: incoming.query[name] for name in _PASSED_ON if name in incoming.query}
    app, problem = _application(incoming, given)
    if app is None:
        return document("This request cannot be answered", [f"<p>{escape(problem)}</p>"], status=400)
    if given.get("response_type") != "code":
        return _back(given, error="unsupported_response_type")
    login = _login(incoming)
    if login is None:
        return _page("Log in", _login_form(given), given)
    return _page("Consent", _question(app, login, given), given)


@routes("POST", "login")
@over_tls
def log_in(incoming: Incoming) -> Response:
    """Take a person's name and password."""
    given = {name: incoming.form[name] for name in _PASSED_ON if name in incoming.form}
    name, password = incoming.form.get("login", ""), incoming.form.get("password", "")
    if (name, password) != (registry.USER, registry.PASSWORD):
        return _page("Log in", ["<p class='status bad'>Wrong login or password.</p>", *_login_form(given)], given, 401)
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
    """Take the person's answer and send it to the callback."""
    given = {name: incoming.form[name] for name in _PASSED_ON if name in incoming.form}
    app, problem = _application(incoming, given)
    login = _login(incoming)
    if app is None or login is None or not hmac.compare_digest(incoming.form.get("form", ""), login["form"]):
        return document("This request cannot be answered", [f"<p>{escape(problem or 'Log in again.')}</p>"], status=400)
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


def _page(title: str, body: list[str], given: Mapping[str, str], status: int = 200) -> Response:
    response = document(title, body, status=status)
    # The form's answer redirects to the callback, which a browser counts as a place that the form is sent to.
    place = urlsplit(given.get("redirect_uri", ""))
    policy = response.headers["Content-Security-Policy"]
    if place.scheme in ("http", "https"):
        policy = policy.replace("form-action 'self'", f"form-action 'self' {place.scheme}://{place.netloc}")
    response.headers["Content-Security-Policy"] = policy
    return response


def _hidden(given: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in given.items()
    )


def _login_form(given: Mapping[str, str]) -> list[str]:
    return [
        "<p>Log in to your eSputnik account to go on.</p>",
        f'<form method="post" action="/uaa/login">{_hidden(given)}'
        '<input name="login" placeholder="Login" aria-label="Login" autocomplete="username" required>'
        '<input name="password" type="password" placeholder="Password" aria-label="Password" required>'
        "<button>Log in</button></form>",
        f"<p class='dim'>In this sandbox: {registry.USER}, {registry.PASSWORD}</p>",
    ]


def _question(app: Row, login: Row, given: Mapping[str, str]) -> list[str]:
    pairs = [("Application", app["name"]), ("Account", login["user"]), ("It asks for", registry.RIGHTS[app["scope"]])]
    return [
        f"<p><b>{escape(app['name'])}</b> asks for access to your eSputnik account.</p>",
        facts(pairs),
        f'<form method="post" action="/uaa/oauth/authorize">{_hidden(given)}'
        f'<input type="hidden" name="form" value="{escape(login["form"])}">'
        '<button name="decision" value="allow">Allow</button>'
        '<button name="decision" value="deny">Deny</button></form>',
    ]
