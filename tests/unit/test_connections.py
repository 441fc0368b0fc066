"""Connections: what forms and URIs may hold, the settings made of it, and the two shapes of one form."""

from __future__ import annotations

import json
import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.connections import (
    TYPES,
    EsputnikSettings,
    SendPulseSettings,
    form_widgets,
    metadata,
    parse,
    ui_field_behaviour,
)
from airflow_provider_esp.exceptions import ConnectionInvalid


def esputnik(**fields: Any) -> EsputnikSettings:
    settings = parse("esputnik", **{"password": "the-key", **fields})
    assert isinstance(settings, EsputnikSettings)
    return settings


def sendpulse(**fields: Any) -> SendPulseSettings:
    settings = parse("sendpulse", **{"login": "the-id", "password": "the-secret", **fields})
    assert isinstance(settings, SendPulseSettings)
    return settings


def refusal(conn_type: str = "esputnik", **fields: Any) -> str:
    with pytest.raises(ConnectionInvalid) as caught:
        parse(conn_type, **fields)
    return str(caught.value)


# -- defaults and blanks


def test_an_api_key_is_all_that_esputnik_needs() -> None:
    settings = esputnik()
    assert (settings.base_url, settings.user, settings.api_key) == ("https://esputnik.com/api", "api", "the-key")
    assert (settings.timezone.key, settings.rate_share, settings.request_timeout) == ("UTC", 1.0, 60.0)
    assert (settings.rate_limits, settings.link_template, settings.ca_bundle) == ({}, None, None)


def test_a_client_id_and_secret_are_all_that_sendpulse_needs() -> None:
    settings = sendpulse()
    assert settings.base_url == "https://api.sendpulse.com"
    assert (settings.client_id, settings.client_secret, settings.api_key) == ("the-id", "the-secret", None)


@pytest.mark.parametrize("nothing", [None, "", "  "])
@pytest.mark.parametrize("conn_type", TYPES)
def test_null_and_blank_text_mean_not_given(conn_type: str, nothing: str | None) -> None:
    blank = dict.fromkeys(TYPES[conn_type].extra, nothing)
    login = "the-id" if conn_type == "sendpulse" else nothing
    filled = parse(conn_type, login=login, password="k", host=nothing, schema=nothing, extra=blank)
    assert filled == parse(conn_type, login=login, password="k")


def test_blanks_around_a_pasted_key_are_dropped() -> None:
    assert esputnik(password=" the-key\n").api_key == "the-key"


def test_the_extra_may_be_a_mapping_or_json_text() -> None:
    extra = {"timezone": "Europe/Kyiv", "rate_share": 0.5, "rate_limits": {"esputnik.default": 20}}
    assert esputnik(extra=extra) == esputnik(extra=json.dumps(extra))
    assert esputnik(extra=extra).timezone.key == "Europe/Kyiv"


def test_numbers_and_objects_may_be_typed_as_text_because_old_forms_and_uris_know_nothing_else() -> None:
    typed = esputnik(extra={"rate_share": "0.25", "rate_limits": '{"esputnik.event": 7}', "request_timeout": "5"})
    assert (typed.rate_share, typed.rate_limits, typed.request_timeout) == (0.25, {"esputnik.event": 7.0}, 5.0)


def test_a_limit_that_exists_once_per_object_can_be_overridden() -> None:
    assert sendpulse(extra={"rate_limits": {"sendpulse.push.77": 2}}).rate_limits == {"sendpulse.push.77": 2.0}


# -- the address


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        ("https://yespo.io/api", "https://yespo.io/api"),
        ("https://api.yespo.io/api/", "https://api.yespo.io/api"),
        ("yespo.io", "https://yespo.io/api"),
        ("HTTPS://YESPO.IO/", "https://yespo.io/api"),
        ("proxy.example:8443/esp/api/", "https://proxy.example:8443/esp/api"),
        ("http://127.0.0.1:8025/esputnik/api", "http://127.0.0.1:8025/esputnik/api"),
        ("http://127.9.9.9:1/api", "http://127.9.9.9:1/api"),
        ("http://localhost:8025/esputnik/api", "http://localhost:8025/esputnik/api"),
        ("http://[::1]:8025/esputnik/api", "http://[::1]:8025/esputnik/api"),
    ],
)
def test_an_address_becomes_a_base_url(host: str, base_url: str) -> None:
    assert esputnik(host=host).base_url == base_url


def test_the_parts_of_a_connection_uri_become_a_base_url() -> None:
    assert esputnik(host="yespo.io", schema="https", port=8443).base_url == "https://yespo.io:8443/api"
    assert esputnik(host="localhost", schema="http", port=81).base_url == "http://localhost:81/api"
    assert sendpulse(host="proxy.example", port=443).base_url == "https://proxy.example:443"


@pytest.mark.parametrize(
    "host",
    [
        "http://esputnik.com/api",
        "ftp://esputnik.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1/api",
        "http://127.0.0.1:8025\\@example.com",
        "https://user:password@esputnik.com/api",
        "https://",
        "https://esputnik.com/api?key=1",
        "https://esputnik.com/#api",
        "https://esputnik.com:port/api",
        "https://esputnik.com:0/api",
        "https://[::1/api",
        "https://esputnik .com",
        "https://esputnik.com/\x00",
    ],
)
def test_a_credential_travels_over_https_or_on_this_machine_and_nowhere_else(host: str) -> None:
    assert "the host must " in (told := refusal(password="the-key", host=host)) or "out of the host" in told


def test_host_schema_and_port_must_not_contradict_each_other() -> None:
    assert "leave the schema empty" in refusal(password="k", host="https://yespo.io", schema="http")
    assert "schema must be empty or https" in refusal(password="k", host="yespo.io", schema="smtp")
    assert "leave the port empty" in refusal(password="k", host="yespo.io:443", port=8443)


# -- credentials


def test_esputnik_without_a_key_is_refused() -> None:
    assert refusal() == (
        "The eSputnik connection cannot be used: put the API key into the password field, or give it the extras "
        "client_id and client_secret."
    )


def test_a_user_name_that_would_break_http_basic_is_refused() -> None:
    assert "leave the login empty" in refusal(login="a:b", password="k")


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "ключ"])
def test_a_key_that_was_copied_badly_is_refused(key: str) -> None:
    assert "copy the API key in the password field again" in refusal(password=key)


def test_sendpulse_takes_an_api_key_instead() -> None:
    settings = sendpulse(login=None, password=None, extra={"api_key": "sp_apikey_1"})
    assert (settings.client_id, settings.client_secret, settings.api_key) == (None, None, "sp_apikey_1")


def test_an_event_url_alone_needs_no_credential() -> None:
    url = "https://events.sendpulse.com/events/id/0123/77"
    settings = sendpulse(login=None, password=None, extra={"secret_event_url": url})
    assert (settings.event_url, settings.client_id, settings.api_key) == (url, None, None)


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({}, "give it a client ID"),
        ({"login": "the-id"}, "give both or neither"),
        ({"password": "the-secret"}, "give both or neither"),
        ({"login": "the-id", "password": "the-secret", "extra": {"api_key": "k"}}, "not both"),
        ({"extra": {"secret_event_url": "http://events.sendpulse.com/events/id/0/1"}}, "must begin with https://"),
        ({"extra": {"secret_event_url": "events.sendpulse.com/"}}, "the whole address"),
        ({"extra": {"api_key": "k", "sender_email": "News <news@example.com>"}}, "one bare address"),
    ],
)
def test_half_a_credential_is_refused_with_the_other_half_named(fields: dict[str, Any], advice: str) -> None:
    assert advice in refusal("sendpulse", **fields)


# -- other extras


@pytest.mark.parametrize(
    ("extra", "advice"),
    [
        ({"rate_limit": {}}, "rename it to 'rate_limits'"),
        ({"shoe_size": 43}, "remove it"),
        ({"rate_share": 0}, "above 0 and at most 1"),
        ({"rate_share": 1.5}, "above 0 and at most 1"),
        ({"rate_share": True}, "above 0 and at most 1"),
        ({"rate_share": "half"}, "above 0 and at most 1"),
        ({"rate_share": float("nan")}, "above 0 and at most 1"),
        ({"request_timeout": 301}, "above 0 and at most 300"),
        ({"rate_limits": [20]}, "must be a JSON object"),
        ({"rate_limits": "esputnik.default: 20"}, "must be a JSON object"),
        ({"rate_limits": {"esputnik.defualt": 20}}, "'esputnik.default' does"),
        ({"rate_limits": {"esputnik.default": 0}}, "'esputnik.default' must be a number above 0"),
        ({"rate_limits": {"esputnik.default": "20"}}, "'esputnik.default' must be a number above 0"),
        ({"timezone": "Kyiv"}, "IANA name"),
        ({"timezone": "../../etc/passwd"}, "IANA name"),
        ({"timezone": "Europe"}, "IANA name"),
        ({"timezone": 3}, "must be text"),
        ({"link_template": "http://intranet/{id}"}, "must begin with https://"),
        ({"ca_bundle": "/no/such/file.pem"}, "a file that is there"),
        ({"ca_bundle": "/" + "long" * 2000}, "a file that is there"),
        ("[1]", "must be a JSON object"),
        ("{", "must be a JSON object"),
    ],
)
def test_a_wrong_extra_is_refused_by_name(extra: dict[str, Any] | str, advice: str) -> None:
    assert advice in refusal(password="k", extra=extra)


def test_sendpulses_event_url_under_a_name_that_airflow_would_show_is_refused() -> None:
    assert "rename it to 'secret_event_url'" in refusal("sendpulse", extra={"event_url": "https://example.com/1"})


def test_a_link_template_keeps_its_query_and_fragment() -> None:
    template = "https://esputnik.com/app?x=1#/broadcast/{id}"
    assert esputnik(extra={"link_template": template}).link_template == template


def test_a_ca_bundle_that_exists_is_taken(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    assert esputnik(extra={"ca_bundle": str(bundle)}).ca_bundle == str(bundle)


def test_another_providers_type_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="'http' is not a connection type of this provider"):
        parse("http")


# -- secrets


def test_no_credential_and_no_address_shows_in_a_repr() -> None:
    event_url = "https://events.sendpulse.com/events/id/cafe1234/77"
    extra = {"secret_event_url": event_url, "sender_name": "Ann Smith", "sender_email": "ann@example.com"}
    shown = repr(sendpulse(extra=extra)) + repr(esputnik(login="bob@example.com"))
    for hidden in ("the-id", "the-secret", "the-key", "cafe1234", "Ann", "ann@", "bob@"):
        assert hidden not in shown
    assert "https://api.sendpulse.com" in shown


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12).map(lambda s: f"s3cr3t{s}")
wild = st.one_of(st.none(), st.booleans(), st.floats(), st.text(), st.lists(st.text()), printable)


@given(
    conn_type=st.sampled_from(sorted(TYPES)),
    fields=st.fixed_dictionaries(
        {}, optional={name: st.none() | st.text() | printable for name in ("login", "password", "host", "schema")}
    ),
    port=st.none() | st.integers(0, 70_000),
    extra=st.dictionaries(st.sampled_from(sorted(TYPES["sendpulse"].extra)), wild) | st.text(),
)
def test_whatever_a_connection_holds_gives_settings_or_one_sentence_without_its_values(
    conn_type: str, fields: dict[str, Any], port: int | None, extra: Any
) -> None:
    values = [*fields.values(), *(extra.values() if isinstance(extra, dict) else [extra])]
    try:
        settings = parse(conn_type, **fields, port=port, extra=extra)
    except ConnectionInvalid as refused:
        told = str(refused)
        assert "\n" not in told
        assert re.fullmatch(r"The (eSputnik|SendPulse) connection cannot be used: .+\.", told)
        assert not any(isinstance(value, str) and value.startswith("s3cr3t") and value in told for value in values)
    else:
        assert settings.base_url.startswith(("https://", "http://"))
        assert 0 < settings.rate_share <= 1


# -- forms


def test_the_two_shapes_of_a_form_agree() -> None:
    for entry in metadata():
        new, old = entry["ui-field-behaviour"], ui_field_behaviour(entry["connection-type"])
        assert new["hidden-fields"] == old["hidden_fields"]
        assert new["relabeling"] == old["relabeling"]
        shown = {name: text for name, text in old["placeholders"].items() if name not in entry["conn-fields"]}
        assert new["placeholders"] == shown
        assert not set(old["placeholders"]) - set(entry["conn-fields"]) - {"host", "login", "password"}


def test_the_old_form_has_the_new_forms_fields() -> None:
    wtforms = pytest.importorskip("wtforms", reason="Airflow's old forms need wtforms")
    pytest.importorskip("flask_appbuilder", reason="Airflow's old forms need Flask-AppBuilder")
    for entry in metadata():
        form = type("Form", (wtforms.Form,), form_widgets(entry["connection-type"]))()
        assert list(form._fields) == list(entry["conn-fields"])
        for name, described in entry["conn-fields"].items():
            assert form[name].label.text == described["label"]
            assert form[name].description == described["description"]
            is_password = described["schema"].get("format") == "password"
            assert (form[name].type == "PasswordField") is is_password
            assert form[name].type in ("PasswordField", "StringField")  # all that Airflow 2.11 accepts of these


def test_every_field_of_a_form_is_read() -> None:
    samples: dict[str, tuple[object, str]] = {
        "timezone": ("Europe/Kyiv", "timezone"),
        "rate_share": (0.5, "rate_share"),
        "rate_limits": ({}, "rate_limits"),
        "rate_store": ("redis_default", "rate_store"),
        "request_timeout": (7, "request_timeout"),
        "link_template": ("https://example.com/{id}", "link_template"),
        "ca_bundle": (__file__, "ca_bundle"),
        "default_country": ("UA", "default_country"),
        "phone_format": ("international", "phone_format"),
        "api_key": ("k", "api_key"),
        "secret_event_url": ("https://events.sendpulse.com/events/id/0/1", "event_url"),
        "sender_name": ("News", "sender_name"),
        "sender_email": ("news@example.com", "sender_email"),
        "client_id": ("id", "oauth.client_id"),
        "client_secret": ("s", "oauth.client_secret"),
        "application_scope": ("messages", "oauth.right"),
        "redirect_uri": ("https://airflow.example/back", "oauth.redirect_uri"),
        "oauth_store": ("/tokens.json", "oauth.oauth_store"),
        "token_key": ("second", "oauth.token_key"),
        "auth_server": ("https://uaa.example/uaa", "oauth.token_url"),
        "credentials_in": ("query", "oauth.credentials_in"),
        "send_code": ("yes", "oauth.send_code"),
    }
    for conn_type, kind in TYPES.items():
        # The authorize command's own field is read by the token store, from the connection as it is then.
        own = [name for name in kind.extra if name != "oauth_token"]
        together = parse(conn_type, extra={name: samples[name][0] for name in own if name != "phone_format"})
        apart = parse(conn_type, extra={name: samples[name][0] for name in own if name != "default_country"})
        expected = {"auth_server": "https://uaa.example/uaa/oauth/token", "send_code": True}
        for name in own:
            settings = apart if name == "phone_format" else together
            sample, read = samples[name][0], attrgetter(samples[name][1])(settings)
            sample = expected.get(name, sample)
            assert getattr(read, "key", read) == sample


@pytest.mark.parametrize("conn_type", ["esputnik", "sendpulse"])
@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"default_country": "Ukraine"}, "default_country must be a country of two letters such as UA"),
        ({"default_country": "XX"}, "default_country must be a country of two letters such as UA"),
        ({"phone_format": "national"}, "phone_format must be international or empty"),
        ({"default_country": "UA", "phone_format": "international"}, "default_country or phone_format, not both"),
    ],
)
def test_the_country_of_phone_numbers_is_checked(conn_type: str, extra: dict[str, str], words: str) -> None:
    assert words in refusal(conn_type, password="k", login="i", extra=extra)


def test_the_country_of_phone_numbers_may_be_written_in_small_letters() -> None:
    assert parse("esputnik", password="k", extra={"default_country": " ua "}).default_country == "UA"


# -- OAuth 2.0

APPLICATION = {"client_id": "the-client", "client_secret": "the-secret"}


def test_an_application_takes_the_place_of_a_key() -> None:
    oauth = parse("esputnik", extra=APPLICATION).oauth  # type: ignore[union-attr]  # it is eSputnik's
    assert oauth is not None
    assert (oauth.client_id, oauth.client_secret) == ("the-client", "the-secret")
    assert oauth.authorize_url == "https://uaa.esputnik.com/uaa/oauth/authorize"
    assert oauth.token_url == "https://uaa.esputnik.com/uaa/oauth/token"
    assert oauth.redirect_uri == "http://127.0.0.1:8765/callback"
    assert (oauth.right, oauth.oauth_store, oauth.credentials_in, oauth.send_code) == (
        "full",
        "variable",
        "header",
        False,
    )
    assert "the-secret" not in repr(oauth)


@pytest.mark.parametrize("host", ["https://yespo.io/api", "https://api.yespo.io/api"])
def test_the_yespo_brand_has_an_authorisation_server_of_its_own(host: str) -> None:
    oauth = parse("esputnik", host=host, extra=APPLICATION).oauth  # type: ignore[union-attr]  # it is eSputnik's
    assert oauth is not None
    assert oauth.token_url == "https://uaa.yespo.io/uaa/oauth/token"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"client_id": "x"}, "go together"),
        ({"client_secret": "x"}, "go together"),
        (APPLICATION | {"application_scope": "everything"}, "application_scope must be one of: full, events"),
        (
            APPLICATION | {"oauth_store": "tokens.json"},
            "oauth_store must be variable, connection, or the absolute path",
        ),
        (APPLICATION | {"credentials_in": "body"}, "credentials_in must be one of: header, query"),
        (APPLICATION | {"send_code": "maybe"}, "send_code must be one of"),
        (APPLICATION | {"redirect_uri": "http://airflow.example/back"}, "must begin with https"),
    ],
)
def test_an_application_that_cannot_be_used_is_refused(extra: dict[str, str], words: str) -> None:
    assert words in refusal(extra=extra)


@pytest.mark.parametrize("server", ["http://127.0.0.1:8443/uaa", "http://uaa.esputnik.com/uaa"])
def test_addresses_of_the_authorisation_server_are_https(server: str) -> None:
    assert "auth_server must begin with https://" in refusal(extra=APPLICATION | {"auth_server": server})


def test_a_key_beside_an_application_is_refused() -> None:
    assert "not both" in refusal(password="the-key", extra=APPLICATION)
