"""A sandbox in which every method has something to answer, and an account to ask it with.

Everything that the tables of methods name is put there through the API itself; each writing call gets a stage of its
own, so that what one deletes the next still finds. Rate limits are off on both sides: they have tests of their own.
"""

from __future__ import annotations

import http.server
import re
import sqlite3
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx
from msgspec import structs

from airflow_provider_esp.core.calls import Call, Service
from airflow_provider_esp.core.transport.account import Account, Credential
from airflow_provider_esp.core.transport.client import Client
from airflow_provider_esp.core.transport.throttle import Throttle
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.registry import SERVICES as SANDBOXED
from airflow_provider_esp.services.esputnik.api import broadcasts, events, imports, messages, promocodes, sites
from airflow_provider_esp.services.esputnik.service import ESPUTNIK
from airflow_provider_esp.services.sendpulse.api import (
    account,
    addressbooks,
    campaigns,
    push,
    sms,
    smtp,
    tags,
    verifier,
    viber,
    webhooks,
)
from airflow_provider_esp.services.sendpulse.service import SENDPULSE
from tests.contract import esputnik_methods, sendpulse_methods
from tests.contract.table import Longer, Method

TABLES: Mapping[str, tuple[Method, ...]] = {
    "esputnik": esputnik_methods.METHODS,
    "sendpulse": sendpulse_methods.METHODS,
}
TRANSLATIONS: Mapping[str, tuple[Method, ...]] = {
    "esputnik": esputnik_methods.TRANSLATIONS,
    "sendpulse": sendpulse_methods.TRANSLATIONS,
}
LONGER: Mapping[str, Mapping[str, tuple[Longer, ...]]] = {
    "esputnik": {"flows": esputnik_methods.FLOWS, "pages": esputnik_methods.PAGES},
    "sendpulse": {"flows": sendpulse_methods.FLOWS, "pages": sendpulse_methods.PAGES},
}
SERVICES: Mapping[str, Service] = {"esputnik": ESPUTNIK, "sendpulse": SENDPULSE}
HEADERS = {"esputnik": "Basic YW55OnNhbmRib3gta2V5", "sendpulse": "Bearer sandbox-apikey"}
_HOUR = 3600.0


def unthrottled(service: str) -> Throttle:
    """A throttle that holds nobody up."""
    calls = [call for method in TABLES[service] for call in method.calls()]
    return Throttle(limits={bucket.name: 1e6 * bucket.seconds for call in calls for bucket in call.buckets})


def serves(service: str, name: str) -> bool:
    """Tell whether the sandbox has a method, e.g. ``GET v1/contact/{id}``; one of its paths may stand for several."""
    verb, _, path = name.partition(" ")
    endpoints = (one for plugged in SANDBOXED if plugged.name == service for routes in plugged.routes for one in routes)
    return any(one.method == verb and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), path) for one in endpoints)


class Stage:
    """A staged sandbox of one service.

    :ivar found: ids that only this sandbox knows, by name.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.found: dict[str, Any] = {}
        self.sandbox = Sandbox()
        self._switches: dict[str, Any] = {}
        self._scene = sqlite3.connect(":memory:", check_same_thread=False)
        self._built = False
        self._dirty = True
        self._files = _Files()

    def __enter__(self) -> Self:
        self.sandbox.start()
        self._files.start()
        self._http = httpx.Client(timeout=120, trust_env=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._http.close()
        self._files.stop()
        self.sandbox.stop()
        self._scene.close()

    @property
    def base_url(self) -> str:
        """Where the service's API is."""
        return self.sandbox.esputnik_url if self.service == "esputnik" else self.sandbox.sendpulse_url

    @property
    def account(self) -> Account:
        """Whom clients work for."""
        credential = Credential("contract tests", HEADERS[self.service])
        return Account(SERVICES[self.service], self.base_url, credential, unthrottled(self.service))

    def set(self, **switches: Any) -> None:
        """Stage anew with other switches of the sandbox than its own defaults; none puts the defaults back."""
        if switches != self._switches:
            self._switches, self._built, self._dirty = switches, False, True

    def ready(self, call: Call[Any] | None) -> None:
        """See that everything is there for a call; one that writes leaves a stage that the next cannot use.

        :param call: None where nothing but reading follows.
        """
        self._ready(writing=call is not None and (call.method != "GET" or not call.repeatable))

    def ready_for(self, verb: str) -> None:
        """See that everything is there for a request of which nothing but its verb is known."""
        self._ready(writing=verb != "GET")

    def _ready(self, writing: bool) -> None:
        if not self._built:
            self._build()
        elif self._dirty:
            self._restore()
        self._dirty = writing

    def send(self, call: Call[Any]) -> httpx.Response:
        """Send a call as it is, and return the answer as it comes."""
        url = call.path if "://" in call.path else f"{self.base_url}/{call.path}"
        headers = {"Authorization": HEADERS[self.service]} if call.authorised else {}
        if call.content_type is not None:
            headers["Content-Type"] = call.content_type
        query = f"?{call.query_string}" if call.query_string else ""
        return self._http.request(call.method, url + query, headers=headers, content=call.content)

    def ask(self, verb: str, path: str, query: str, content: bytes | None) -> httpx.Response:
        """Send a request of whatever sort."""
        headers = {"Authorization": HEADERS[self.service], "Content-Type": "application/json"}
        return self._http.request(verb, f"{self.base_url}/{path}?{query}", headers=headers, content=content)

    def _build(self) -> None:
        self.sandbox.reset()
        for bucket in self.sandbox.state.limits.all():
            self.sandbox.limit(bucket, None)
        self.sandbox.set(import_seconds=0.5, delivery_seconds=0.5)
        build = {"esputnik": self._build_esputnik, "sendpulse": self._build_sendpulse}[self.service]
        with Client(self.account) as client:
            build(client)
        # After the stage is set, for they are about the answers that tests ask for.
        self.sandbox.set(**self._switches)
        store = self.sandbox.state.store
        with store.exclusive():
            store._db.backup(self._scene)
        self._built = True

    def _restore(self) -> None:
        """Put the stage back as it was built, which takes a hundredth of building it again."""
        store = self.sandbox.state.store
        with store.exclusive():
            self._scene.backup(store._db)

    def _build_esputnik(self, client: Client) -> None:
        names = esputnik_methods
        self.sandbox.set(esputnik__delete_past_events=True, esputnik__repeat_seconds=0.0)
        people = [names.ANNA_AS_WRITTEN, names.BORIS_AS_WRITTEN]
        made = client.run(imports.bulk_update(people, dedupe_on="externalCustomerId", group_names=["Newsletter"]))
        self.sandbox.advance(10)
        smart = [messages.SmartRecipient(locator=f"{name}@example.com", json_param="{}") for name in ("anna", "boris")]
        sent = client.run(messages.smart_send(names.WIN_BACK, smart, email=True)).results
        client.run(messages.send_sms("Hello", sender="SHOP", phone_numbers=["380501112233"]))
        client.run(broadcasts.create(names.WIN_BACK, [names.NEWSLETTER], title="Planned", start_date=names.LATER))
        client.run(events.event("purchase", {"order_id": "1"}, key_value="anna@example.com"))
        client.run(sites.web_push_domains_add([names.WEB_PUSH]))
        client.run(promocodes.add(["OLD-1", "OLD-2"], expiration_date=names.LATER, discount=10, type="spring"))
        self.sandbox.advance(60)
        self.found = {
            "import": made.async_session_id,
            "request": sent[0].request_id,
            "second request": sent[1].request_id,
            "file": self._files.url,
        }

    def _build_sendpulse(self, client: Client) -> None:
        names = sendpulse_methods
        self.sandbox.set(sendpulse__html_500=False)
        book = client.run(addressbooks.book_create("Readers")).id
        client.run(addressbooks.book_create("Nobody yet"))
        for name in ("Verified", "Fresh"):
            made = client.run(addressbooks.book_create(name)).id
            client.run(addressbooks.upload(made, ["vera@example.com", "bounce@example.com"]))
        client.run(verifier.list_verify(names.VERIFIED))
        client.run(verifier.report_make(names.VERIFIED))
        client.run(verifier.email_verify(names.BORIS))
        anna = addressbooks.NewContact(names.ANNA, {"city": "Lviv", "age": 30, "Phone": names.PHONE})
        client.run(tags.tag_create("vip", "#f0f4f6"))
        client.run(addressbooks.upload(book, [anna, names.BORIS], tags=[1]))
        self.sandbox.advance(60)
        client.run(campaigns.create(names.CAMPAIGN))
        client.run(campaigns.create(names.WHOLE_CAMPAIGN))
        email = client.run(
            smtp.send(sender=names.SANDBOX, to=[names.ANNA_AS_PERSON], subject="Hello", html=names.HTML)
        ).id
        bounced = smtp.Person(email="gone+bounce@example.com")
        client.run(smtp.send(sender=names.SANDBOX, to=[bounced], subject="Hello", html=names.HTML))
        client.run(smtp.unsubscribe(["left@example.com"]))
        client.run(sms.send("Sandbox", [names.PHONE], "Hello"))
        client.run(sms.send("Sandbox", [names.PHONE], "Hello", date=names.LATER))
        client.run(sms.blacklist_add(["380631112233"], "asked"))
        client.run(viber.send(names.NEW_VIBER))
        client.run(viber.send(structs.replace(names.NEW_VIBER, send_date=names.LATER)))
        client.run(viber.blacklist_add(["380631112233"], "asked"))
        client.run(push.send(names.NEW_PUSH))
        client.run(webhooks.webhook_create("https://sandbox.example/hook", ["open"]))
        client.run(account.blacklist_add(["spam@example.com"]))
        client.run(account.sender_add(names.NEW_SENDER, "Second"))
        code = self.sandbox.messages(names.NEW_SENDER, "sendpulse")[0]["data"]["code"]
        self.sandbox.advance(_HOUR)
        self.found = {
            "email": email,
            "activation code": code,
            "event url": f"{self.sandbox.sendpulse_url}/events/id/5eed0000000000000000000000000002/7043663",
            "host": self.sandbox.sendpulse_url,
        }


class _Files:
    """A web server on loopback with one file of contacts."""

    def __init__(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _File)
        self.url = f"http://127.0.0.1:{self._server.server_port}/contacts.csv"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="files").start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _File(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the library's name
        content = b"First name,Email\nDana,dana@example.com\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the tests' own output is enough."""
