"""Reaching an Airflow somewhere else by its REST API: for a person whose laptop has no metadata database.

Airflow 3 is spoken to at ``/api/v2`` with a token, Airflow 2 at ``/api/v1`` with HTTP Basic.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from airflow_provider_esp.core.auth.token_set import TokenSet
from airflow_provider_esp.core.transport.requests_session import restrain
from airflow_provider_esp.exceptions import BodyRefused, StoreUnusable, UnusableProxy
from airflow_provider_esp.utils.urls import is_safe

_TIMEOUT = (10, 30)
_LIST = "esp_oauth_connections"


class AirflowApi:
    """One Airflow's REST API.

    :param url: of its web page, https, or http on this machine.
    :param token: a token of Airflow 3's API; or else
    :param login: a user's name and password.
    :param ca_bundle: a file with the certificates to trust instead of the usual ones, or None.
    """

    def __init__(self, url: str, *, token: str | None, login: tuple[str, str] | None, ca_bundle: str | None) -> None:
        import requests

        if not is_safe(url):
            raise StoreUnusable("the address of Airflow must begin with https:// (http only leads to this machine)")
        self._url = url.rstrip("/")
        self._session = requests.Session()
        try:
            restrain(self._session, url, ca_bundle)
        except UnusableProxy as unusable:
            raise StoreUnusable(f"Airflow cannot be reached: {unusable}") from None
        self._base = f"{self._url}/api/v2"
        if token is None and login is not None:
            token = self._token(*login)
            if token is None:
                self._base = f"{self._url}/api/v1"
                self._session.auth = login
        if token is not None:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def _token(self, user: str, password: str) -> str | None:
        """Log in to Airflow 3; None where this is an Airflow 2."""
        answer = self._send("POST", f"{self._url}/auth/token", json={"username": user, "password": password})
        if answer.status_code in (404, 405):
            return None
        return str(self._checked(answer, "log in to Airflow")["access_token"])

    def connection(self, conn_id: str) -> dict[str, Any]:
        """Return a connection's fields; Airflow hides its secrets."""
        answer = self._send("GET", f"{self._base}/connections/{quote(conn_id, safe='')}")
        if answer.status_code == 404:
            raise StoreUnusable(f"there is no connection {conn_id!r} in Airflow", advice="Make it first.")
        return self._checked(answer, f"read the connection {conn_id!r}")

    def save(self, name: str, grant: TokenSet) -> None:
        """Keep a grant in the Variable of that name. It cannot be read back: Airflow hides its value."""
        self._set(name, grant.to_json())

    def remember(self, conn_id: str) -> None:
        """Add a connection to those that were authorised."""
        answer = self._send("GET", f"{self._base}/variables/{_LIST}")
        known = [] if answer.status_code == 404 else json.loads(self._checked(answer, "read a Variable")["value"])
        if conn_id not in known:
            self._set(_LIST, json.dumps(sorted([*known, conn_id])))

    def _set(self, name: str, value: str) -> None:
        body = {"key": name, "value": value, "description": "Written by airflow-provider-esp."}
        answer = self._send("PATCH", f"{self._base}/variables/{name}", json=body)
        if answer.status_code == 404:
            answer = self._send("POST", f"{self._base}/variables", json=body)
        self._checked(answer, "write a Variable")

    def _send(self, method: str, url: str, **fields: Any) -> Any:
        import requests

        try:
            return self._session.request(method, url, timeout=_TIMEOUT, **fields)
        except BodyRefused as refused:
            raise StoreUnusable(f"Airflow's answer cannot be used: {refused}") from None
        except requests.RequestException as error:
            raise StoreUnusable(f"Airflow could not be reached ({type(error).__name__})") from None

    @staticmethod
    def _checked(answer: Any, what: str) -> dict[str, Any]:
        # What Airflow answers may quote what was sent to it.
        if answer.status_code >= 400:
            raise StoreUnusable(f"Airflow refused to {what} (HTTP {answer.status_code})")
        try:
            body: dict[str, Any] = answer.json()
        except (ValueError, RecursionError):
            raise StoreUnusable(f"Airflow did not answer as an API when asked to {what}") from None
        return body
