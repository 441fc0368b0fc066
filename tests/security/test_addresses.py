"""Where a request goes: ids that would change its path, addresses that two parsers read differently, netrc, CAs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import requests
import yarl
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from airflow_provider_esp import exceptions
from airflow_provider_esp.cli.rest import AirflowApi
from airflow_provider_esp.connections import parse
from airflow_provider_esp.core.calls import path
from airflow_provider_esp.core.transport import network, requests_session
from airflow_provider_esp.exceptions import ConnectionInvalid, StoreUnusable
from airflow_provider_esp.services.esputnik import api as esputnik
from airflow_provider_esp.services.sendpulse import api as sendpulse
from airflow_provider_esp.services.sendpulse.api.events import event_by_url
from airflow_provider_esp.utils.urls import is_loopback, is_safe, web_address

Refused = Callable[[str, str, str], None]

# -- ids


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_an_id_that_would_change_the_path_makes_no_request(value: str, refused: Refused) -> None:
    with pytest.raises(ValueError, match=r"needs id, .* Nothing was sent"):
        path("v1/messages/{id}/translation/{lang}", value, "en")
    with pytest.raises(ValueError, match="needs lang"):
        path("v1/messages/{id}/translation/{lang}", 1001, value)
    refused("id that changes the path", f"id {value!r}", "a sentence, nothing sent")


@given(st.text(max_size=10))
@example("a/../b")
@example("%2e%2e")
@example("..\\")
@example("{id}")
def test_any_other_id_stays_one_segment_in_every_http_library(value: str) -> None:
    if value in ("", ".", ".."):
        return
    try:
        below = path("v1/messages/{id}/end", value)
    except UnicodeEncodeError:  # half of a surrogate pair is no text
        return
    url = f"https://example.com/api/{below}"
    expected = f"/api/{below}"
    assert httpx.URL(url).raw_path.decode() == expected
    assert yarl.URL(url, encoded=True).raw_path == expected
    assert parse_url(url).path == expected
    assert below.count("/") == 3


def functions_that_make_calls() -> list[tuple[str, Callable[..., Any]]]:
    """Every function of both services that makes a call, with its name."""
    functions: list[tuple[str, Callable[..., Any]]] = []
    for package in (esputnik, sendpulse):
        for module_info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{module_info.name}")
            for name, function in vars(module).items():
                if name.startswith("_") or not inspect.isfunction(function) or function.__module__ != module.__name__:
                    continue
                if "Call[" in str(inspect.signature(function).return_annotation):
                    functions.append((f"{module.__name__.rsplit('.', 2)[1]}.{name}", function))
    return functions


def test_no_function_of_either_service_lets_such_an_id_through() -> None:
    tried = 0
    for name, function in functions_that_make_calls():
        parameters = inspect.signature(function).parameters.values()
        ids = [p for p in parameters if p.default is p.empty and p.annotation in ("str", "str | int", "int | str")]
        others = [p for p in parameters if p.default is p.empty and p not in ids]
        if not ids or others:
            continue
        for at, parameter in enumerate(ids):
            values = {p.name: ".." if other == at else "x" for other, p in enumerate(ids)}
            try:
                call = function(**values)
            except (ValueError, TypeError):
                tried += 1
                continue
            segments = getattr(call, "path", "").split("/")
            assert ".." not in segments, f"{name}({parameter.name}='..') asks for {call.path}"
    assert tried > 20


# -- addresses

hosts = st.sampled_from(["example.com", "localhost", "127.0.0.1", "[::1]", "a-b.example", "[::1].evil.example", "10.1"])
parts = st.sampled_from(["", "\\@", "@", ":80", ":80\\@", "%40", "\t", " ", "#", "?", "/", "[", "]", "\u3002", "\\"])
odd_urls = st.builds(
    lambda *pieces: "".join(pieces), st.sampled_from(["http://", "https://", "HTTP://"]), hosts, parts, hosts, parts
)


@given(odd_urls | st.text(max_size=30).map("http://{}".format))
@example("http://vm:80\\@localhost")
@example("http://[::1].evil.example")
@example("http://localhost#@evil.example")
def test_what_is_taken_for_an_address_is_the_same_host_for_every_library(url: str) -> None:
    try:
        address = web_address(url)
    except ValueError:
        assert not is_safe(url)
        assert not is_loopback(url)
        return
    seen = {
        "httpx": (httpx.URL(url).host, httpx.URL(url).port),
        "yarl": (yarl.URL(url).host, yarl.URL(url).explicit_port),
        "urllib3": ((parse_url(url).host or "").strip("[]"), parse_url(url).port),
        "urllib": (urlsplit(url).hostname, urlsplit(url).port),
    }
    for library, (host, port) in seen.items():
        assert (host, port or address.port) == (address.host, address.port), library


ODD = {
    "backslash": "http://vm:80\\@localhost",
    "brackets": "http://[::1].evil.example",
    "user name": "https://ann:key@esputnik.com/api",
    "blank": "https://esputnik.com /api",
    "tab": "https://esputnik.com\t/api",
    "wide dot": "https://esputnik\u3002com/api",
    "zone": "http://[fe80::1%25eth0]/api",
    "port 0": "https://esputnik.com:0/api",
    "no host": "https:///api",
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_address_is_refused_wherever_one_may_be_given(kind: str, refused: Refused) -> None:
    url = ODD[kind]
    with pytest.raises(StoreUnusable):
        AirflowApi(url, token="t", login=None, ca_bundle=None)
    with pytest.raises(ConnectionInvalid):
        parse("esputnik", login="api", password="k", host=url, schema=None, port=None, extra={})
    with pytest.raises(ValueError, match="plain web address"):
        event_by_url(url, {}, email="ann@example.com")
    refused("address read two ways", kind, "a sentence, nothing sent")


# -- netrc, and whose certificates


def test_netrc_never_takes_the_place_of_our_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with requests.Session() as session:
        requests_session.restrain(session, "https://airflow.example", None)
        session.headers["Authorization"] = "Bearer ours"
        request = requests.Request("GET", "https://airflow.example/api/v2/connections")
        assert session.prepare_request(request).headers["Authorization"] == "Bearer ours"
    refused("netrc and certificates", "~/.netrc names the host", "our token is sent")


@pytest.mark.parametrize(
    ("bundle", "environment", "expected"),
    [
        ("own", {"SSL_CERT_FILE": "file", "REQUESTS_CA_BUNDLE": "requests"}, "own"),
        (None, {"SSL_CERT_FILE": "file", "REQUESTS_CA_BUNDLE": "requests"}, "file"),
        (None, {"REQUESTS_CA_BUNDLE": "requests"}, "requests"),
        (None, {"CURL_CA_BUNDLE": "requests"}, None),
        (None, {}, None),
    ],
)
def test_certificates_are_chosen_in_one_order(
    bundle: str | None,
    environment: dict[str, str],
    expected: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, file in environment.items():
        monkeypatch.setenv(name, str(tmp_path / file))
    for file in ("own", "file", "requests"):
        (tmp_path / file).write_text("certificates")
    named = str(tmp_path / bundle) if bundle else None
    chosen = network.ca_file(named)
    assert Path(chosen).name == (expected or "cacert.pem")
    with requests.Session() as session:
        requests_session.restrain(session, "https://airflow.example", named)
        settings = session.merge_environment_settings("https://airflow.example", {}, None, None, None)
        assert settings["verify"] == chosen
    refused("netrc and certificates", "CAs of the environment", "one order in all clients")


def test_a_file_of_certificates_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(exceptions.ConnectionFailed, match=r"SSL_CERT_FILE names /nowhere/ca\.pem"):
        network.ca_file(None)


# -- the commands


def test_the_consent_page_is_not_in_a_browsers_arguments(refused: Refused) -> None:
    program = (
        "import sys, stat, pathlib, urllib.parse, urllib.request\n"
        "from airflow_provider_esp.cli.authorize import private_redirect\n"
        "url = 'https://uaa.example/authorize?state=secret-state&client_id=\"x\"'\n"
        "address = private_redirect(url)\n"
        "page = pathlib.Path(urllib.request.url2pathname(urllib.parse.urlsplit(address).path))\n"
        "assert 'secret' not in address, address\n"
        "assert stat.S_IMODE(page.stat().st_mode) == 0o600 and stat.S_IMODE(page.parent.stat().st_mode) == 0o700\n"
        "text = page.read_text()\n"
        "assert 'state=secret-state&amp;client_id=&quot;x&quot;' in text and 'no-referrer' in text, text\n"
        "print(page)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert not Path(ended.stdout.strip()).exists()
    refused("consent taken over", "--open: a user reads ps", "state is in a 0600 file")
