"""Contacts as the sandbox keeps them: one row for an address, a phone or both, in one book.

A new address and a new phone are "New" for `import_seconds` and then become active; an address that was
asked to confirm becomes active when its owner, by the fate of the address, would have answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from ..state import SandboxState
from ..store import Row, Store
from .arguments import phone_of
from .errors import invalid

SCHEMA = """
CREATE TABLE sendpulse_contacts (
  id INTEGER PRIMARY KEY, book_id INTEGER, email TEXT COLLATE NOCASE, status INTEGER, due REAL,
  phone TEXT, phone_status INTEGER, phone_due REAL, variables TEXT, source TEXT, added REAL);
CREATE UNIQUE INDEX sendpulse_contacts_email ON sendpulse_contacts (book_id, email);
CREATE INDEX sendpulse_contacts_book ON sendpulse_contacts (book_id);
CREATE INDEX sendpulse_contacts_phone ON sendpulse_contacts (book_id, phone) WHERE phone IS NOT NULL;
CREATE INDEX sendpulse_contacts_everywhere ON sendpulse_contacts (email);
CREATE INDEX sendpulse_contacts_due ON sendpulse_contacts (due) WHERE due IS NOT NULL;
CREATE INDEX sendpulse_contacts_phone_due ON sendpulse_contacts (phone_due) WHERE phone_due IS NOT NULL;
"""

NEW, ACTIVE, UNCONFIRMED, UNSUBSCRIBED = 0, 1, 2, 4
PHONE_NEW, PHONE_ACTIVE, PHONE_EXCLUDED = 0, 1, 2

_INSERT = (
    "INSERT INTO sendpulse_contacts (book_id, email, status, due, phone, phone_status, phone_due, variables, source, "
    "added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'api', ?)"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass
class New:
    """A contact to put into a book.

    :ivar due: when it becomes active; None: never by itself.
    """

    email: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    status: int = NEW
    due: float | None = None


def plain(variables: Any, wrong: str) -> dict[str, Any]:
    """Check variables given as ``{name: value}`` or ``[{"name", "value"}, …]``; values are strings, numbers, booleans.

    :param wrong: what is said of anything else.
    :raises Refused: 422.
    """
    if isinstance(variables, list):
        if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in variables):
            raise invalid(wrong)
        variables = {item["name"]: item.get("value") for item in variables}
    if not isinstance(variables, dict):
        raise invalid(wrong)
    for value in variables.values():
        if isinstance(value, dict | list):
            raise invalid(wrong)
    return {
        name: int(value) if isinstance(value, bool) else value for name, value in variables.items() if value is not None
    }


def merged(contacts: Iterable[New]) -> list[New]:
    """Return the same contacts with each address once; of a variable that is given twice, the last value."""
    found: dict[str, New] = {}
    for new in contacts:
        before = found.get(new.email.lower())
        found[new.email.lower()] = replace(new, variables={**before.variables, **new.variables}) if before else new
    return list(found.values())


def put(state: SandboxState, book_id: int, contacts: Sequence[New], update: bool = True) -> None:
    """Add contacts to a book; those that are there keep their state and get the variables.

    :param contacts: each address once, see `merged`.
    :param update: whether those that are there get anything.
    """
    store, now = state.store, state.clock.now()
    known = {row["email"].lower(): row for row in _present(store, book_id, [new.email for new in contacts])}
    excluded = _excluded(store)
    added, changed = [], []
    for new in contacts:
        row = known.get(new.email.lower())
        phone, variables = _apart(new.variables)
        phone_state = _phone_state(state, phone, excluded)
        if row is None:
            added.append((book_id, new.email, new.status, new.due, *phone_state, _text(variables), now))
        elif update:
            kept = (row["phone"], row["phone_status"], row["phone_due"])
            is_same = phone in (None, row["phone"])
            changed.append((*(kept if is_same else phone_state), _text({**read(row), **variables}), row["id"]))
    store.many(_INSERT, added)
    store.many(
        "UPDATE sendpulse_contacts SET phone = ?, phone_status = ?, phone_due = ?, variables = ? WHERE id = ?", changed
    )
    declare(store, book_id, (new.variables for new in contacts))


def put_phones(state: SandboxState, book_id: int, phones: Mapping[str, Mapping[str, Any]]) -> tuple[int, int]:
    """Add phones, with their variables, to a book.

    :param phones: variables by number (digits).
    :return: how many were added and how many were there already; these get the variables.
    """
    store, now = state.store, state.clock.now()
    excluded = _excluded(store)
    added, exists = [], 0
    for phone, variables in phones.items():
        rows = of_phone(store, book_id, phone)
        exists += bool(rows)
        for row in rows:
            set_variables(store, row, variables)
        if not rows:
            phone_state = _phone_state(state, phone, excluded)
            added.append((book_id, None, NEW, None, *phone_state, _text(variables), now))
    store.many(_INSERT, added)
    declare(store, book_id, phones.values())
    return len(added), exists


def set_variables(store: Store, row: Row, given: Mapping[str, Any]) -> None:
    """Set variables of a contact that is there; those it has and is not given stay."""
    phone, variables = _apart(given)
    store.run("UPDATE sendpulse_contacts SET variables = ? WHERE id = ?", _text({**read(row), **variables}), row["id"])
    if phone:
        set_phone(store, row, phone)
    declare(store, row["book_id"], [variables])


def set_phone(store: Store, row: Row, phone: str) -> None:
    """Set the phone of a contact that is there, active at once."""
    store.run(
        "UPDATE sendpulse_contacts SET phone = ?, phone_status = ?, phone_due = NULL WHERE id = ?",
        phone,
        PHONE_ACTIVE,
        row["id"],
    )


def declare(store: Store, book_id: int, given: Iterable[Mapping[str, Any]]) -> None:
    """Record a book's variables; the type of the first value is the variable's type."""
    names: dict[str, Any] = {}
    for variables in given:
        for name, value in variables.items():
            names.setdefault(name, value)
    store.many(
        "INSERT OR IGNORE INTO sendpulse_variables VALUES (?, ?, ?)",
        [(book_id, name, kind(value)) for name, value in names.items() if name.lower() != "phone"],
    )


def kind(value: Any) -> str:
    """Return the type of a variable's value in the vendor's words."""
    if isinstance(value, int | float):
        return "number"
    return "date" if _DATE.fullmatch(value) else "string"


def read(row: Row) -> dict[str, Any]:
    """Return the variables of a contact, by name."""
    variables: dict[str, Any] = msgspec.json.decode(row["variables"])
    return variables


def listed(store: Store, row: Row, *, as_texts: bool = False) -> list[dict[str, Any]]:
    """Return the variables of a contact as ``[{"name", "type", "value"}, …]``; a number stays one.

    :param as_texts: every value as a string, as the specification of a book's single contact has it.
    """
    types = dict(
        tuple(found)
        for found in store.all("SELECT name, type FROM sendpulse_variables WHERE book_id = ?", row["book_id"])
    )
    return [
        {"name": name, "type": types.get(name, "string"), "value": str(value) if as_texts else value}
        for name, value in sorted(read(row).items())
    ]


def of_email(store: Store, book_id: int, email: str) -> Row | None:
    """Return the contact with that address in a book."""
    return store.one("SELECT * FROM sendpulse_contacts WHERE book_id = ? AND email = ?", book_id, email)


def of_phone(store: Store, book_id: int, phone: str) -> list[Row]:
    """Return the contacts with that phone in a book."""
    return store.all("SELECT * FROM sendpulse_contacts WHERE book_id = ? AND phone = ?", book_id, phone)


def settle(state: SandboxState) -> None:
    """Let new addresses and phones become active whose time has come."""
    now = state.clock.now()
    state.store.run("UPDATE sendpulse_contacts SET status = ?, due = NULL WHERE due <= ?", ACTIVE, now)
    state.store.run(
        "UPDATE sendpulse_contacts SET phone_status = ?, phone_due = NULL WHERE phone_due <= ?", PHONE_ACTIVE, now
    )


def _present(store: Store, book_id: int, emails: list[str]) -> list[Row]:
    return store.all(
        "SELECT * FROM sendpulse_contacts WHERE book_id = ? AND email IN (SELECT value FROM json_each(?))",
        book_id,
        msgspec.json.encode(emails).decode(),
    )


def _phone_state(state: SandboxState, phone: str | None, excluded: set[str]) -> tuple[str | None, int, float | None]:
    """Return a new phone, its status, and when it becomes active."""
    if phone is None:
        return None, PHONE_NEW, None
    if phone in excluded:
        return phone, PHONE_EXCLUDED, None
    return phone, PHONE_NEW, state.clock.now() + state.settings["import_seconds"]


def _excluded(store: Store) -> set[str]:
    return {row["phone"] for row in store.all("SELECT phone FROM sendpulse_sms_blacklist")}


def _apart(variables: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Return the phone, which comes as a variable of that name in any case, and the other variables."""
    phone = next((phone_of(value) for name, value in variables.items() if name.lower() == "phone"), None)
    return phone, {name: value for name, value in variables.items() if name.lower() != "phone"}


def _text(variables: Mapping[str, Any]) -> str:
    return msgspec.json.encode(variables).decode()
