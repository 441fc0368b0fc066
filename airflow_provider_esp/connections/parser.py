"""Reading a connection's fields, one checked reader for each sort of value.

Null and blank text mean *not given*, because forms save the fields that nobody touched. Blanks around a value are
dropped: keys are pasted. No error quotes a value, which may be a secret in the wrong field.
"""

from __future__ import annotations

import difflib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_esp.connections.fields import TYPES
from airflow_provider_esp.core.validation.numbering_plans import is_country
from airflow_provider_esp.exceptions import ConnectionInvalid
from airflow_provider_esp.utils.urls import is_safe, web_address


@dataclass(frozen=True, slots=True, repr=False)
class Reader:
    """The filled-in fields of a connection's extra, and a method for each sort of value.

    Every method raises `ConnectionInvalid` where a value has to be changed.

    :param conn_type: a name in `TYPES`.
    :param extra: the fields that are given, all of them known (see `own_fields`).
    """

    conn_type: str
    extra: Mapping[str, object]

    def refuse(self, what: str) -> NoReturn:
        """Raise `ConnectionInvalid` with a sentence that says what to change."""
        raise ConnectionInvalid(TYPES[self.conn_type].title, what)

    def text(self, name: str) -> str | None:
        """Read an extra that is one line of text."""
        value = self.extra.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(f"the extra {name} must be text, in quotes")
        value = value.strip()
        if not value.isprintable():
            self.refuse(f"type the extra {name} again, it holds a line break or another control character")
        return value

    def secret(self, value: str | None, what: str) -> str | None:
        """Check a key or an id, from wherever it comes."""
        value = stripped(value)
        if value and not (value.isascii() and value.isprintable() and " " not in value):
            self.refuse(f"copy the {what} again, it holds characters that no key has")
        return value

    def number(self, name: str, default: float) -> float:
        """Read an extra that is a number above 0 and up to what the table allows."""
        if name not in self.extra:
            return default
        number, most = _as_number(self.extra[name]), TYPES[self.conn_type].extra[name].most or math.inf
        if number is None or not 0 < number <= most:
            self.refuse(f"the extra {name} must be a number above 0 and at most {most:g}")
        return number

    def timezone(self) -> ZoneInfo:
        """Read the account's time zone."""
        name = self.text("timezone") or "UTC"
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.refuse("the extra timezone must be an IANA name such as Europe/Kyiv")

    def phone_rules(self) -> dict[str, str | None]:
        """Read how phone numbers are written: ``default_country`` or ``phone_format``."""
        country, written = self.text("default_country"), self.text("phone_format")
        country = country and country.upper()
        if country and not is_country(country):
            self.refuse("the extra default_country must be a country of two letters such as UA")
        if written and written.lower() != "international":
            self.refuse("the extra phone_format must be international or empty")
        if country and written:
            self.refuse("keep the extra default_country or phone_format, not both, they contradict each other")
        return {"default_country": country, "phone_format": written and written.lower()}

    def file(self, name: str) -> str | None:
        """Read an extra that is the path of a file on this machine."""
        path = self.text(name)
        if path and not os.path.isfile(path):  # unlike Path.is_file, never raises
            self.refuse(f"the extra {name} must be the path of a file that is there on this machine")
        return path

    def rate_limits(self) -> dict[str, float]:
        """Read requests per window by the rate limit's name."""
        value, known = self.extra.get("rate_limits", {}), _rate_limits_of(self.conn_type)
        if isinstance(value, str):  # the forms before 3.2 and connection URIs hold the object as text
            value = decoded(value)
        if not isinstance(value, dict):
            self.refuse(f'the extra rate_limits must be a JSON object such as {{"{min(known, key=len)}": 5}}')
        for name, limit in value.items():
            if name not in known and not str(name).startswith(TYPES[self.conn_type].numbered_buckets):
                near = difflib.get_close_matches(str(name), known, 1, 0.5) or [min(known, key=len)]
                self.refuse(f"the extra rate_limits names {name!r}, which does not exist; {near[0]!r} does")
            if not isinstance(limit, int | float) or not (_as_number(limit) or 0) > 0:
                self.refuse(f"in the extra rate_limits, {name!r} must be a number above 0")
        return {name: float(limit) for name, limit in value.items()}

    def rate_store(self) -> str | None:
        """Read where shared rate limits are kept: a connection's id, or the address of a folder on this machine."""
        place = self.text("rate_store")
        if place and "://" in place and (not place.startswith("file:///") or len(place) == len("file:///")):
            self.refuse(
                "the extra rate_store must be the id of an Airflow connection to Redis or PostgreSQL, or a folder as "
                "file:///var/lib/airflow/esp-rates"
            )
        return place

    def url(self, name: str) -> str | None:
        """Read an extra that is a web address: https, or anything on this machine; without a scheme, https."""
        text = self.text(name)
        if text is None:
            return None
        text = text if "://" in text else f"https://{text}"
        self._address(text, f"extra {name}")
        return text

    def base_url(self, host: str | None, schema: str | None, port: int | None) -> str:
        """Put the API's base URL together from Airflow's three fields, without trailing slash."""
        default = TYPES[self.conn_type].base_url
        host, schema = stripped(host) or default, (stripped(schema) or "").lower()
        if schema not in ("", "http", "https"):
            self.refuse("the schema must be empty or https")
        if "://" not in host:
            host = f"{schema or 'https'}://{host}"
        elif schema and not host.lower().startswith(f"{schema}://"):
            self.refuse("leave the schema empty, the host already has another one")
        parts = self._address(host, "host")
        if parts.query or parts.fragment:
            self.refuse("the host must end before any ? or #")
        if port and parts.port not in (None, port):
            self.refuse("leave the port empty, the host already has another one")
        place = parts.netloc.lower().rstrip(":") + (f":{port}" if port and not parts.port else "")
        return f"{parts.scheme}://{place}{parts.path.rstrip('/') or urlsplit(default).path}"

    def _address(self, text: str, what: str) -> SplitResult:
        try:
            web_address(text)
        except ValueError:
            if "@" in text.partition("://")[2].partition("/")[0]:
                self.refuse(f"take the user name out of the {what}, credentials have their own fields")
            self.refuse(f"the {what} must be a web address such as https://example.com/path")
        if not is_safe(text):
            self.refuse(f"the {what} must begin with https:// (plain http only leads to this machine)")
        return urlsplit(text)


def own_fields(conn_type: str, extra: Mapping[str, object] | str | None) -> dict[str, object]:
    """Read the extra: the fields that are given.

    :param extra: as a mapping, or as JSON text.
    :raises ConnectionInvalid: it is not an object, or has a field that the table does not know: a misspelt rate
        limit must not pass unnoticed.
    """
    fields = decoded(extra) if isinstance(extra, str) and extra.strip() else extra or {}
    if not isinstance(fields, Mapping):
        raise ConnectionInvalid(TYPES[conn_type].title, "the extra must be a JSON object")
    given = {name: value for name, value in fields.items() if not _is_unset(value)}
    own = TYPES[conn_type].extra
    for name in given:
        if name not in own:
            near = difflib.get_close_matches(str(name), own, 1, 0.7)
            raise ConnectionInvalid(
                TYPES[conn_type].title,
                f"the extra {name!r} is not known; " + (f"rename it to {near[0]!r}" if near else "remove it"),
            )
    return given


def stripped(text: str | None) -> str | None:
    """Drop blanks around a value; None where nothing is left."""
    return (text or "").strip() or None


def decoded(text: str) -> object:
    """Decode JSON text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_unset(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _rate_limits_of(conn_type: str) -> set[str]:
    """Return the names of a service's documented rate limits."""
    # Imported here: Airflow reads this package's metadata in every process, and few of them need the service.
    from airflow_provider_esp.core.calls import Bucket

    limits: Any = import_module(f"airflow_provider_esp.services.{conn_type}.limits")
    return {value.name for value in vars(limits).values() if isinstance(value, Bucket)}
