"""From the command to the stored tokens: the callback, what it refuses, the commands, and what they never print."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from airflow_provider_esp.cli import authorize
from airflow_provider_esp.cli.callback import CallbackServer, read_answer
from airflow_provider_esp.core.auth import oauth
from airflow_provider_esp.core.auth.oauth import Application
from airflow_provider_esp.core.auth.token_store import FileTokens
from airflow_provider_esp.exceptions import (
    ApplicationRefused,
    CallbackRefused,
    ConsentDenied,
    EspError,
    GrantRefused,
    StoreUnusable,
    TokensUnreadable,
)
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.oauth import registry
from airflow_provider_esp.sandbox.tls_server import AuthorisationServer
from tests.servers import callback_port

CALLBACK = registry.CALLBACK


@pytest.fixture
def app(sandbox: Sandbox, uaa: AuthorisationServer) -> Application:
    return Application(
        registry.CLIENT_ID,
        registry.CLIENT_SECRET,
        uaa.authorize_url,
        uaa.token_url,
        CALLBACK,
        ca_bundle=str(uaa.ca_file),
    )


class Person:
    """Somebody who opens the consent page and decides, in a thread, as a browser would."""

    def __init__(self, uaa: AuthorisationServer, decision: str = "allow") -> None:
        self._ca, self._decision = str(uaa.ca_file), decision
        self.thread = threading.Thread()
        self.saw = ""

    def show(self, url: str) -> None:
        self.thread = threading.Thread(target=self._go, args=(url,))
        self.thread.start()

    def _go(self, url: str) -> None:
        self.saw = httpx.get(self.decide(url), timeout=300).text

    def decide(self, url: str) -> str:
        """Give the address of the callback that the decision leads to."""
        trusted = ssl.create_default_context(cafile=self._ca)
        with httpx.Client(verify=trusted, trust_env=False, follow_redirects=True, timeout=60) as browser:
            login = browser.get(url)
            base = f"{login.url.scheme}://{login.url.netloc.decode()}"
            form = _hidden(login) | {"login": registry.USER, "password": registry.PASSWORD}
            page = browser.post(f"{base}/uaa/login", data=form)
            form = _hidden(page) | {"decision": self._decision}
            sent = browser.post(f"{base}/uaa/oauth/authorize", data=form, follow_redirects=False)
            return sent.headers["location"]


def _hidden(page: httpx.Response) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text.replace("&amp;", "&")))


@pytest.fixture(autouse=True)
def _callback_port() -> Iterator[None]:
    with callback_port():
        yield


def silent(_: str) -> None:
    """Say nothing."""


# -- the way there


def test_a_person_allows_and_the_code_becomes_tokens_that_work(
    app: Application, uaa: AuthorisationServer, sandbox: Sandbox
) -> None:
    person = Person(uaa)
    answer = authorize.ask_for_code(app, person.show, silent, None, 30)
    person.thread.join()
    assert "go back to the command" in person.saw
    grant = oauth.exchange_code(app, answer.code, verifier=answer.verifier)
    headers = {"Authorization": f"Bearer {grant.access_token}"}
    assert httpx.get(f"{sandbox.esputnik_url}/v2/version", headers=headers).status_code == 200


def test_the_question_carries_a_state_nobody_can_guess(app: Application) -> None:
    states = set()
    for _ in range(3):
        asked: list[str] = []
        with pytest.raises(CallbackRefused):
            authorize.ask_for_code(app, asked.append, silent, lambda: f"{CALLBACK}?code=x&state=", 1)
        query = parse_qs(urlsplit(asked[0]).query)
        assert query["response_type"] == ["code"]
        assert query["client_id"] == [registry.CLIENT_ID]
        assert query["redirect_uri"] == [CALLBACK]
        states.update(query["state"])
    assert len(states) == 3
    assert all(len(state) >= 43 for state in states)


def test_the_address_may_be_pasted(app: Application, uaa: AuthorisationServer) -> None:
    asked: list[str] = []
    answer = authorize.ask_for_code(app, asked.append, silent, lambda: Person(uaa).decide(asked[0]) + "\n", 1)
    assert oauth.exchange_code(app, answer.code, verifier=answer.verifier).access_token


# -- each refusal has its own sentence


def test_each_thing_that_may_be_wrong_is_refused_with_its_own_sentence(
    app: Application, uaa: AuthorisationServer, sandbox: Sandbox, tmp_path: Path
) -> None:
    def consent() -> str:
        return uaa.consent(registry.CLIENT_ID, CALLBACK)

    def replayed() -> None:
        code = consent()
        oauth.exchange_code(app, code)
        oauth.exchange_code(app, code)

    def expired() -> None:
        code = consent()
        sandbox.advance(301)
        oauth.exchange_code(app, code)

    def denied() -> None:
        authorize.ask_for_code(app, Person(uaa, "deny").show, silent, None, 30)

    def wrong_secret() -> None:
        oauth.exchange_code(replace(app, client_secret="wrong-secret"), consent())

    path = tmp_path / "tokens.json"
    store = FileTokens(path, app.client_secret)

    def tampered() -> None:
        authorize.keep(store, oauth.exchange_code(app, consent()))
        text = path.read_text()
        path.write_text(text.replace("access_token", "access_tokem"))
        store.load()

    def wrong_mode() -> None:
        path.unlink()
        authorize.keep(store, oauth.exchange_code(app, consent()))
        path.chmod(0o644)
        store.load()

    wrongs: dict[str, tuple[Callable[[], object], type[EspError], str]] = {
        "wrong state": (lambda: read_answer(f"{CALLBACK}?code=x&state=b", CALLBACK, "a"), CallbackRefused, "state"),
        "replayed code": (replayed, GrantRefused, "used before"),
        "denied consent": (denied, ConsentDenied, "access was denied"),
        "wrong secret": (wrong_secret, ApplicationRefused, "application is refused"),
        "callback from another host": (
            lambda: read_answer("http://elsewhere:8765/callback?code=x&state=a", CALLBACK, "a"),
            CallbackRefused,
            "another host",
        ),
        "expired code": (expired, GrantRefused, "has expired"),
        "tampered token file": (tampered, TokensUnreadable, "was changed"),
        "wrong file mode": (wrong_mode, StoreUnusable, "mode 0644"),
    }
    sentences = set()
    for what, (happen, kind, words) in wrongs.items():
        with pytest.raises(kind) as caught:
            happen()
        assert words in str(caught.value), what
        sentences.add(str(caught.value).splitlines()[0])
    assert len(sentences) == len(wrongs) == 8


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://127.0.0.1:8765/callback?code=x&state=a", "another host"),
        ("http://127.0.0.1:9/callback?code=x&state=a", "another host"),
        ("http://127.0.0.1:8765/else?code=x&state=a", "another path"),
        (f"{CALLBACK}?state=a", "neither a code nor an error"),
        (f"{CALLBACK}?code=&state=a", "neither a code nor an error"),
        (f"{CALLBACK}?code=x", "state"),
        (f"{CALLBACK}?code=x&code=y&state=a", "twice"),
        ("nonsense", "another host"),
        ("", "another host"),
    ],
)
def test_an_answer_that_is_none_is_refused(url: str, words: str) -> None:
    with pytest.raises(CallbackRefused, match=words):
        read_answer(url, CALLBACK, "a")


def test_an_error_of_the_server_is_told_without_whatever_else_it_says() -> None:
    with pytest.raises(ConsentDenied, match="'server_error'") as caught:
        read_answer(f"{CALLBACK}?error=server_error%0a%3C&error_description=secret&state=a", CALLBACK, "a")
    assert "secret" not in str(caught.value)


# -- the callback server


def test_the_callback_server_goes_on_after_forgeries_and_takes_one_answer(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    seen: list[httpx.Response] = []

    def visit() -> None:
        for query, host in (
            ("code=x&state=b", ""),
            ("code=x&state=a", "evil.example:8765"),
            ("code=the-code&state=a", ""),
        ):
            headers = {"Host": host} if host else {}
            seen.append(httpx.get(f"{CALLBACK}?{query}", headers=headers, timeout=60))

    with CallbackServer(CALLBACK, "a", told.append) as server:
        seen.append(httpx.Response(0))
        thread = threading.Thread(target=visit)
        thread.start()
        assert server.wait(120) == "the-code"
        thread.join()
    assert [answer.status_code for answer in seen[1:]] == [400, 400, 200]
    assert seen[-1].headers["cache-control"] == "no-store"
    assert seen[-1].headers["referrer-policy"] == "no-referrer"
    assert len(told) == 2
    printed = capfd.readouterr()
    assert "the-code" not in printed.out + printed.err + "".join(told)


def test_the_callback_server_listens_on_this_machine_only() -> None:
    with CallbackServer("http://localhost:8765/callback", "a", silent) as server:
        places = [listener.server_address[:2] for listener in server._servers]
        assert places[0] == ("127.0.0.1", 8765)
        assert set(places[1:]) <= {("::1", 8765)}
    assert CallbackServer.can_serve("http://127.0.0.1:1/x")
    assert not CallbackServer.can_serve("https://127.0.0.1:1/x")
    assert not CallbackServer.can_serve("http://airflow.example/x")


def test_nobody_coming_back_is_a_sentence() -> None:
    with CallbackServer(CALLBACK, "a", silent) as server, pytest.raises(CallbackRefused, match=r"within 0\.3 s"):
        server.wait(0.3)


# -- the commands


@pytest.fixture
def environment(airflow_db: Path, app: Application, sandbox: Sandbox, uaa: AuthorisationServer) -> dict[str, str]:
    extra = {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "auth_server": uaa.url,
        "ca_bundle": str(uaa.ca_file),
    }
    connection = {"conn_type": "esputnik", "host": sandbox.esputnik_url, "extra": extra}
    return {**os.environ, "AIRFLOW_CONN_BY_COMMAND": json.dumps(connection), "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}


def start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_esp", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def consenting(process: subprocess.Popen[str], person: Person) -> str:
    """Wait for the address that the command prints, and decide; gives what was printed by then."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        found = re.search(r"https://\S+", line)
        if found:
            person.show(found[0])
            break
    return printed


def secrets_of(sandbox: Sandbox) -> list[str]:
    rows = sandbox.state.store.all("SELECT access, refresh FROM uaa_tokens")
    codes = sandbox.state.store.all("SELECT code FROM uaa_codes")
    return [registry.CLIENT_SECRET, *(value for row in [*rows, *codes] for value in row)]


@pytest.mark.slow
def test_the_commands_authorize_show_and_forget_and_print_no_secret(
    environment: dict[str, str], uaa: AuthorisationServer, sandbox: Sandbox
) -> None:
    printed = ""
    process = start(["authorize", "--conn-id", "by_command", "--yes"], environment)
    person = Person(uaa)
    printed += consenting(process, person)
    arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
    code, out, err = finish(process)
    assert code == 0, err
    assert "version 20417 of the API answered" in out
    assert "Connection 'by_command' is authorised. The tokens are in the Airflow Variable esp_oauth_token_" in out
    printed += out + err + arguments

    code, out, err = finish(start(["status"], environment))
    assert code == 0
    assert re.search(r"by_command\n  authorised +yes\n  right +full\n", out)
    assert re.search(r"access token +ends .* UTC \(in 2\.0 days\)\n  refresh token +ends .* \(in 30\.0 days\)", out)
    printed += out + err

    code, out, err = finish(start(["revoke", "--conn-id", "by_command"], environment))
    assert code == 0
    assert "are forgotten" in out
    printed += out + err
    code, out, err = finish(start(["status", "--conn-id", "by_command"], environment))
    assert "not authorised; run: python -m airflow_provider_esp authorize --conn-id by_command" in out
    secrets = secrets_of(sandbox)
    assert len(secrets) == 4
    for secret in secrets:
        assert secret not in printed + out + err


@pytest.mark.slow
def test_a_laptop_without_a_database_writes_a_file(
    environment: dict[str, str], uaa: AuthorisationServer, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "tokens.json"
    laptop = {
        **{name: value for name, value in environment.items() if not name.startswith("AIRFLOW_")},
        "AIRFLOW_HOME": str(tmp_path / "no airflow"),
        "ESP_CLIENT_SECRET": registry.CLIENT_SECRET,
    }
    told = ["--client-id", registry.CLIENT_ID, "--api-url", sandbox.esputnik_url, "--auth-server", uaa.url]
    process = start(["authorize", *told, "--yes", "--ca-bundle", str(uaa.ca_file), "--out", str(path)], laptop)
    printed = consenting(process, Person(uaa))
    code, out, err = finish(process)
    assert code == 0, err
    assert path.stat().st_mode & 0o777 == 0o600
    kept = FileTokens(path, registry.CLIENT_SECRET).load()
    assert kept is not None
    for secret in secrets_of(sandbox):
        assert secret not in printed + out + err
    assert not (tmp_path / "no airflow" / "airflow.db").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["authorize", "--conn-id", "unknown"], "There is no connection 'unknown' here"),
        (["authorize", "--conn-id", "with_key"], "names no application"),
        (["authorize", "--client-id", "x"], "say where the tokens go"),
        (["revoke", "--conn-id", "with_key"], "names no application"),
    ],
)
def test_a_command_that_cannot_go_on_says_why_in_a_sentence(
    environment: dict[str, str], arguments: list[str], words: str
) -> None:
    key = json.dumps({"conn_type": "esputnik", "password": "k"})
    code, out, err = finish(start(arguments, {**environment, "AIRFLOW_CONN_WITH_KEY": key, "ESP_CLIENT_SECRET": "s"}))
    assert code == 1
    assert words in err
    assert "Traceback" not in out + err


def test_the_commands_are_offered_to_airflow_in_its_own_shape() -> None:
    pytest.importorskip("airflow.api_fastapi", reason="Airflow 2 loads no commands of providers")
    from airflow_provider_esp.cli.options import airflow_commands

    (group,) = airflow_commands()
    assert group.name == "esp"
    assert [command.name for command in group.subcommands] == ["authorize", "status", "revoke", "state"]
    flags = {flag for command in group.subcommands for arg in command.args for flag in arg.flags}
    assert not any("secret" in flag or flag.endswith("-token") or "password" in flag for flag in flags)
