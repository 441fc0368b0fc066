"""eSputnik's import from a file: the service fetches a CSV from a link and imports it as ``POST v1/contacts`` would.

The sandbox fetches links on loopback only; any other is answered as a file that cannot be read.
"""

from __future__ import annotations

import csv
import http.client
import io
import uuid
from base64 import b64encode
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..settings import Setting
from . import fields
from .imports import Submission, check, queue
from .schemas import Channel, FieldValue, GivenContact, problem

routes = Routes(right="write")

LARGEST = 100 * 1024 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

SETTINGS = {
    "esputnik.upload_key": Setting(
        "importId",
        "how contacts/upload calls the session: importId or asyncSessionId",
        ("importId", "asyncSessionId").__contains__,
    ),
}

# Headers of the columns with a fixed meaning, and what `contactFields` calls them.
_STANDARD = {
    "first name": "firstName",
    "last name": "lastName",
    "language code": "languageCode",
    "timezone": "timeZone",
    "address": "address",
    "region": "region",
    "city": "town",
    "postcode": "postcode",
    "email": "email",
    "sms": "sms",
}
_ADDRESS = ("address", "region", "town", "postcode")
_PLAIN = {
    "firstName": "first_name",
    "lastName": "last_name",
    "languageCode": "language_code",
    "timeZone": "time_zone",
}


class Upload(msgspec.Struct, rename="camel"):
    """The body of ``POST contacts/upload``."""

    dedupe_on: str
    link: str
    group_names: list[str] | str | None = None
    group_names_exclude: list[str] | str | None = None
    restore_deleted: bool | None = False
    event_key_for_new_contacts: str | None = None


class Unreadable(Exception):
    """The file cannot be imported; the text says why."""


# Not in the store's transaction: it talks to another server.
@routes("POST", "v1/contacts/upload", locked=False)
def upload(incoming: Incoming) -> Response:
    """Fetch a file and queue what is in it; return whether it is valid, and the session's id."""
    given = incoming.decode(Upload)
    submission = Submission(
        contacts=[],
        dedupe_on=given.dedupe_on,
        group_names=given.group_names,
        group_names_exclude=given.group_names_exclude,
        restore_deleted=given.restore_deleted,
        event_key_for_new_contacts=given.event_key_for_new_contacts,
    )
    check(submission, ("email", "sms", "email_or_sms", "id"))
    try:
        rows = _fill(incoming, submission, fetch(given.link))
    except Unreadable as reason:
        return responses.json({"message": str(reason), "valid": False})
    with incoming.store.transaction():
        session = queue(incoming.state, "file", submission, rows)
    name = incoming.state.settings["esputnik.upload_key"]
    return responses.json({"message": "File is valid", "valid": True, name: session, "fileId": str(uuid.uuid4())})


def fetch(link: str) -> str:
    """Return the text of a file on loopback.

    :raises Unreadable: it is elsewhere, cannot be fetched, is too large, empty, or not UTF-8.
    """
    try:
        parts = urlsplit(link)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unreadable("link is not valid") from None
    if parts.scheme not in ("http", "https"):
        raise Unreadable("link should begin with http:// or https://")
    if parts.scheme == "https" or host not in _LOOPBACK:
        raise Unreadable("the sandbox fetches http links on this machine only")
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    connection = http.client.HTTPConnection(host or "", port or 80, timeout=10)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
        response = connection.getresponse()
        content = response.read(LARGEST + 1)
    except (OSError, http.client.HTTPException):
        raise Unreadable("the file cannot be fetched") from None
    finally:
        connection.close()
    if response.status != 200:
        raise Unreadable(f"the file cannot be fetched: status {response.status}")
    if len(content) > LARGEST:
        raise Unreadable("the file is larger than 100 MB")
    if not content.strip():
        raise Unreadable("the file is empty")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("the file is not UTF-8") from None


def _fill(incoming: Incoming, submission: Submission, content: str) -> int:
    """Read a file into a submission; rows that cannot be taken are left out.

    :return: the number of rows in the file.
    """
    reader = csv.reader(io.StringIO(content))
    try:
        header = [name.strip() for name in next(reader)]
        lines = list(reader)
    except (csv.Error, StopIteration):
        raise Unreadable("the file is not CSV") from None
    by_key = fields.by_key(incoming.state)
    standard = {at: _STANDARD[name.lower()] for at, name in enumerate(header) if name.lower() in _STANDARD}
    custom = {at: int(by_key[name]["id"]) for at, name in enumerate(header) if name in by_key}
    ids = next((at for at, name in enumerate(header) if name.lower() == "contact id"), None)
    submission.contact_fields = sorted(set(standard.values()))
    submission.custom_fields_ids = sorted(set(custom.values()))
    contacts = [_contact(line, standard, custom, ids) for line in lines if line]
    submission.contacts = [contact for contact in contacts if not problem(contact)]
    return len(contacts)


def _contact(line: list[str], standard: dict[int, str], custom: dict[int, int], ids: int | None) -> GivenContact:
    cells = {name: line[at].strip() for at, name in standard.items() if at < len(line)}
    values: dict[str, Any] = {_PLAIN[name]: value for name, value in cells.items() if name in _PLAIN}
    number = line[ids].strip() if ids is not None and ids < len(line) else ""
    return GivenContact(
        **values,
        channels=[Channel(kind, cells[kind]) for kind in ("email", "sms") if cells.get(kind)],
        address={name: value for name, value in cells.items() if name in _ADDRESS},
        fields=[FieldValue(number, line[at].strip()) for at, number in custom.items() if at < len(line)],
        id=int(number) if number.isascii() and number.isdigit() and len(number) < 16 else None,
    )
