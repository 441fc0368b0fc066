"""eSputnik's import of contacts: ``POST v1/contacts``, what it does when it runs, and ``GET v1/importstatus``.

A submit only checks and queues. The import runs when its time has come by the sandbox's clock, which is when the
next request looks: segments named in it appear then, and so do the contacts.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.responses import Response

from ..responses import Refused
from ..routing import Incoming, Routes
from ..service import table
from ..settings import Setting, texts
from ..state import SandboxState
from ..store import Row
from . import contacts_store, events, fields, legacy_format, segments
from .contacts_store import Directory, Person
from .matching import Matcher, Rule
from .schemas import CHANNEL_TYPES, STANDARD_FIELDS, Channel, GivenContact, Int, Scope, as_list, overwrite, problem

routes = Routes(right="write")

MOST = 3000
DEDUPE = ("email", "sms", "push", "email_or_sms", "id", "externalCustomerId", "fieldId", "webpush")
_OUTCOMES = ("finish", "error", "never")

SETTINGS = {
    "esputnik.import_outcome": Setting(
        "finish", "how imports submitted from now on end: finish, error or never", _OUTCOMES.__contains__
    ),
    "esputnik.import_missing": Setting(
        [], "dedupe values that imports leave out: not written, not in the mapping", texts
    ),
}


class Submission(msgspec.Struct, omit_defaults=True, rename="camel"):
    """The body of ``POST v1/contacts``."""

    contacts: list[GivenContact] | GivenContact
    dedupe_on: str
    field_id: Int | None = None
    contact_fields: list[str] | str | None = None
    custom_fields_ids: list[Int] | Int | None = msgspec.field(default=None, name="customFieldsIDs")
    group_names: list[str] | str | None = None
    group_names_exclude: list[str] | str | None = None
    restore_deleted: bool | None = False
    event_key_for_new_contacts: str | None = None


def check(submission: Submission, names: tuple[str, ...] = DEDUPE) -> None:
    """Check whether a submission makes sense as a whole.

    :raises Refused: 400.
    """
    if submission.dedupe_on not in names:
        raise Refused(400, f"dedupeOn should be one of: {', '.join(names)}")
    if submission.dedupe_on == "fieldId" and submission.field_id is None:
        raise Refused(400, "fieldId is required when dedupeOn is fieldId")
    unknown = set(as_list(submission.contact_fields)) - STANDARD_FIELDS
    if unknown:
        raise Refused(400, f"contactFields has unknown values: {', '.join(sorted(unknown))}")
    if len(submission.event_key_for_new_contacts or "") > 100:
        raise Refused(400, "eventKeyForNewContacts should be at most 100 characters long")


@routes("POST", "v1/contacts", settles=False)
def submit(incoming: Incoming) -> Response:
    """Check contacts and queue those that can be taken."""
    submission = incoming.decode(Submission)
    check(submission)
    given: list[GivenContact] = as_list(submission.contacts)
    if not 1 <= len(given) <= MOST:
        raise Refused(400, f"contacts should hold 1 to {MOST} items")
    rule = Rule.of(submission.dedupe_on, submission.field_id)
    taken: list[GivenContact] = []
    failed: list[dict[str, Any]] = []
    for contact in given:
        wrong = problem(contact) or ("" if _matchable(contact, rule) else f"{rule.name} should not be empty")
        if wrong:
            failed.append({**msgspec.to_builtins(contact), "error": wrong})
        else:
            taken.append(contact)
    submission.contacts = taken
    session = queue(incoming.state, "contacts", submission, len(taken))
    return legacy_format.answer(incoming, {"id": 0, "failedContacts": failed, "asyncSessionId": session})


def _matchable(contact: GivenContact, rule: Rule) -> bool:
    return bool(contact.external() or rule.keys(contact))


def queue(state: SandboxState, kind: str, submission: Submission, rows: int) -> str:
    """Save an import until its time has come.

    :return: the session's id.
    """
    session, now = str(uuid.uuid4()), state.clock.now()
    state.store.run(
        "INSERT INTO esputnik_imports VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, '', '[]', 0)",
        session,
        kind,
        msgspec.json.encode(submission),
        rows,
        now,
        now + state.settings["import_seconds"],
        state.settings["esputnik.import_outcome"],
        now,
    )
    return session


@routes("GET", "v1/importstatus/{sessionId}")
def status(incoming: Incoming) -> Response:
    """Return how far an import is, and once it is finished, which contacts it wrote."""
    session = incoming.params["sessionId"]
    row = incoming.store.one("SELECT * FROM esputnik_imports WHERE id = ?", session)
    if row is None:
        raise Refused(404, f"Import session '{session}' not found")
    word, since = progress(row, incoming.now)
    answer = {
        "status": word,
        "timestamp": incoming.state.stamp(since),
        "description": row["description"] or None,
        "mapping": msgspec.json.decode(row["mapping"]),
    }
    return legacy_format.answer(incoming, answer)


def progress(row: Row | Mapping[str, Any], now: float) -> tuple[str, float]:
    """Return the word for an import's state, and since when it is so."""
    if row["state"] != "waiting":
        return str(row["state"]), row["changed"]
    begins = row["submitted"] + (row["due"] - row["submitted"]) / 4
    return ("STARTED", row["submitted"]) if now < begins else ("IMPORTING", begins)


def settle(state: SandboxState) -> None:
    """Run the imports whose time has come."""
    now = state.clock.now()
    due = state.store.all(
        "SELECT * FROM esputnik_imports WHERE state = 'waiting' AND due <= ? AND outcome <> 'never' ORDER BY due", now
    )
    for row in due:
        if row["outcome"] == "error":
            state.store.run(
                "UPDATE esputnik_imports SET state = 'ERROR', changed = due, description = ? WHERE id = ?",
                "Import failed",
                row["id"],
            )
        else:
            run(state, row)


def run(state: SandboxState, row: Row) -> None:
    """Run one import: write its contacts, put them into segments, raise events for new ones."""
    submission = msgspec.json.decode(row["request"], type=Submission)
    batch = Batch(state, submission, row["due"])
    mapping = batch.write(as_list(submission.contacts))
    # What was sent is not needed any more, and a million contacts of it would be a gigabyte.
    state.store.run(
        "UPDATE esputnik_imports SET state = 'FINISHED', changed = due, request = x'', mapping = ?, written = ?"
        " WHERE id = ?",
        msgspec.json.encode(
            [{"dedupeValue": value, "contactId": number} for value, number in mapping.items()]
        ).decode(),
        len(mapping),
        row["id"],
    )


class Batch:
    """One import at work.

    :param at: the time it runs, Unix seconds.
    """

    def __init__(self, state: SandboxState, submission: Submission, at: float) -> None:
        self._state = state
        self._submission = submission
        self._at = at
        self._rule = Rule.of(submission.dedupe_on, submission.field_id)
        self._directory = Directory(state.store, at)
        self._matcher = Matcher(self._directory, self._rule)
        self._known = fields.by_id(state)
        named = submission.contact_fields
        # Left out means everything; channel types the list cannot name are then written where they were sent.
        self._beyond = named is None
        self._scope = Scope.of(
            STANDARD_FIELDS if named is None else as_list(named), as_list(submission.custom_fields_ids)
        )
        self._missing = frozenset(state.settings["esputnik.import_missing"])

    def write(self, contacts: list[GivenContact]) -> dict[str, int]:
        """Write contacts.

        :return: the contact ids by dedupe value.
        """
        self._matcher.prepare(contacts)
        mapping: dict[str, int] = {}
        written: dict[int, Person] = {}
        fresh: list[Person] = []
        for contact in contacts:
            value = self._dedupe_value(contact)
            if value in self._missing:
                continue
            match = self._matcher.find(contact)
            if match.person is None:
                person = self._create(contact)
                fresh.append(person)
            elif match.person.deleted and not self._submission.restore_deleted:
                continue
            else:
                person = match.person
                self._update(person, contact, match.by)
            self._matcher.learn(person)
            written[person.id] = person
            mapping[value] = person.id
        contacts_store.save(self._state.store, written.values())
        self._sort_into_segments(list(written))
        self._announce(fresh)
        return mapping

    def _dedupe_value(self, contact: GivenContact) -> str:
        keys = self._rule.keys(contact)
        return keys[0][1] if keys else contact.external()

    def _create(self, contact: GivenContact) -> Person:
        person = self._directory.add()
        # A new contact is always reachable and has all it was sent with that is not a listed standard field.
        scope = replace(
            self._scope,
            channels=CHANNEL_TYPES,
            external=True,
            custom=tuple(value.id for value in contact.field_values()),
        )
        overwrite(person, contact, scope, self._known)
        return person

    def _update(self, person: Person, contact: GivenContact, by: str) -> None:
        before = person.channels
        channels = self._scope.channels - {by}  # what it was found by stays as it is
        if self._beyond:
            channels |= {channel.type for channel in contact.reach()} - STANDARD_FIELDS
        external = self._scope.external and by != "externalCustomerId"
        overwrite(person, contact, replace(self._scope, channels=channels, external=external), self._known)
        if contact.external() and person.external_id is None:
            person.external_id = contact.external()
        if not person.channels:
            person.data["channels"] = before  # a contact keeps at least one channel
        person.deleted = False
        person.updated = self._at

    def _sort_into_segments(self, contacts: list[int]) -> None:
        store = self._state.store
        for name in as_list(self._submission.group_names):
            segment = segments.named(store, name)
            if segment is not None:
                segments.attach(store, segment, contacts, self._at)
        for name in as_list(self._submission.group_names_exclude):
            number = store.value("SELECT id FROM esputnik_segments WHERE name = ?", name)
            if number is not None:
                segments.detach(store, number, contacts)

    def _announce(self, fresh: list[Person]) -> None:
        kind = self._submission.event_key_for_new_contacts
        if not kind:
            return
        rows = []
        for person in fresh:
            email, sms = person.channel("email") or "", person.channel("sms") or ""
            params = {"contactId": person.id, "EmailAddress": email, "SMS": sms}
            rows.append(events.Stored(kind, email or sms, params, person.id, "import", self._at))
        events.keep(self._state, rows)


def make(state: SandboxState, values: Mapping[str, Any]) -> dict[str, Any]:
    """Make many contacts, as an import would.

    :param values: ``count`` (default 1000), ``segment`` to put them into (optional), ``domain`` of their addresses.
    """
    count, domain = int(values.get("count", 1000)), str(values.get("domain", "example.com"))
    if not 0 < count <= 1_000_000:
        raise ValueError("count should be 1 to 1,000,000")
    contacts: list[GivenContact] = [
        GivenContact(first_name=f"Reader {number}", channels=[Channel("email", f"reader{number}@{domain}")])
        for number in range(count)
    ]
    submission = Submission(contacts=contacts, dedupe_on="email", group_names=values.get("segment"))
    return {"contacts": len(Batch(state, submission, state.clock.now()).write(contacts))}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    row["status"] = progress(row, row.pop("now"))[0]
    for name in ("submitted", "due", "changed"):
        row[name] = datetime.fromtimestamp(row[name], UTC).isoformat(timespec="milliseconds")
    return row


SECTION = table(
    "imports",
    "Imports",
    ("id", "kind", "status", "rows", "written", "submitted"),
    rows="""
    SELECT id, kind, state, rows, written, due, changed, description, :now AS now, submitted
    FROM esputnik_imports WHERE :all OR id LIKE :q ESCAPE '!' ORDER BY submitted DESC, rowid DESC
    LIMIT :limit OFFSET :offset
    """,
    count="SELECT count(*) FROM esputnik_imports WHERE :all OR id LIKE :q ESCAPE '!'",
    shape=_shown,
)
