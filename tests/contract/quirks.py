"""Where what is sent or answered differs from the letter of the vendors' specifications, and how surely.

**D**: the vendor's own documentation says so elsewhere, or contradicts itself. **C**: seen in clients' code or recorded
traffic. **I**: inferred. **U**: sources disagree or say nothing; it is our choice. A quirk that no test meets is out of
date, and fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.contract.checking import Fault


@dataclass(frozen=True)
class Quirk:
    """One difference.

    :ivar method: as calls are named, e.g. ``POST v1/contacts``.
    :ivar pointer: where, as `checking` writes it.
    :ivar says: what is different, and why it is right.
    """

    method: str
    pointer: str
    letter: str
    says: str


@dataclass
class Ledger:
    """Quirks, and which of them were met."""

    quirks: Iterable[Quirk]
    met: set[Quirk] = field(default_factory=set)

    def knows(self, method: str, fault: Fault) -> bool:
        """Tell whether a fault is one of the quirks, and remember that it was met."""
        found = [quirk for quirk in self.quirks if (quirk.method, quirk.pointer) == (method, fault[0])]
        self.met.update(found)
        return bool(found)

    @property
    def unmet(self) -> list[str]:
        """The quirks that nothing has met."""
        return [f"{quirk.method} {quirk.pointer}" for quirk in self.quirks if quirk not in self.met]


_NULLS = (
    *("firstName", "lastName", "externalCustomerId", "contactKey", "languageCode", "timeZone", "fields/*/value"),
    *("address/region", "address/town", "address/address", "address/postcode"),
)

REQUEST_QUIRKS: tuple[Quirk, ...] = (
    *(
        Quirk(method, f"{where}/{name}", "I", "null erases: said of contactFields, where the schemas have text alone")
        for method, where in (
            ("POST v1/contacts", "/contacts/*"),
            ("POST v1/contact", ""),
            ("PUT v1/contact/{id}", ""),
            ("POST v1/contact/subscribe", "/contact"),
        )
        for name in _NULLS
    ),
    Quirk("POST v1/contacts", "/contactFields", "D", "the enum of its items stands at the list itself as well"),
    Quirk("POST v1/orders", "/orders/*/date", "D", "without a zone, as the older pages have it: the account's clock"),
    Quirk("POST v2/event", "/keyValue", "D", "the guides pass it, the schema lacks it"),
    *(
        Quirk(method, pointer, "D", "any JSON as the text says; the schema has objects that are texts")
        for method, pointer in (
            ("POST v2/event", "/params/*/value"),
            ("POST v2/past_events", "/events/*/params/*/value"),
        )
    ),
    *(
        Quirk(method, f"/{name}", "C", "known from clients alone; sent only where an author says so")
        for method, names in (
            ("POST v1/message/{id}/smartsend", ("campaignId", "allowUnconfirmed")),
            ("POST v1/message/email", ("campaignId",)),
        )
        for name in names
    ),
    *(
        Quirk("PUT v2/email-service/webhook/{id}", pointer, "C", "the vendor's newer guides change the actions as well")
        for pointer in ("", "/actions")
    ),
    Quirk("POST v1/message/{id}/smartsend", "/recipients", "U", "twice the same: what comes of it is said nowhere"),
    *(
        Quirk(method, f"query:{name}", "C", "1 and 0, as the vendor's PHP client spells booleans")
        for method, name in (
            ("GET addressbooks/{id}/emails", "active"),
            ("GET addressbooks/{id}/emails", "not_active"),
            ("GET addressbooks/{id}/emails/total", "active"),
            ("GET campaigns", "planed"),
            ("GET templates", "only_active"),
        )
    ),
    *(
        Quirk("PATCH campaigns/{id}", f"/{name}", "C", "a client in use says that every field is wanted")
        for name in ("sender_name", "sender_email", "template_id", "send_date")
    ),
    Quirk("POST addressbooks/{id}/emails", "", "D", "one of two schemas, the first of which takes everything"),
    *(
        Quirk(method, pointer, "C", "numbers stay numbers, as number variables want them and sister methods take them")
        for method, pointer in (
            ("POST addressbooks/{id}/emails/variable", "/variables/*/value"),
            ("POST sms/numbers/variables", "/phones/*/*/*/value"),
        )
    ),
    *(
        Quirk(method, pointer, "D", "Y-m-d H:i:s, the vendor's own form of moments, is not RFC 3339")
        for method, pointer in (("POST push/tasks", "/send_date"), ("POST sms/campaigns", "/date"))
    ),
    *(
        Quirk(f"{verb} smtp/unsubscribe", "", "C", "the vendor's clients wrap the list in emails")
        for verb in ("POST", "DELETE")
    ),
)
"""Differences of what the functions send."""

ANSWER_QUIRKS: tuple[Quirk, ...] = (
    *(
        Quirk(method, "", "C", "a plain sentence, labelled JSON, where a JSON string is promised")
        for method in (
            *("PUT v1/contact/{id}", "DELETE v1/contact/{id}", "PUT v1/contact/{id}/subscriptions"),
            *("POST v1/group/{id}/contacts/attach", "POST v1/group/{id}/contacts/detach"),
            *("PUT v1/messages/email/{id}", "DELETE v1/messages/email/{id}"),
            *("PUT v1/messages/email/{id}/{language}", "DELETE v1/messages/email/{id}/{language}"),
        )
    ),
    *(
        Quirk(method, pointer, letter, "a list of one is the bare item")
        for method, pointer, letter in (
            ("GET v1/addressbooks", "/addressBook", "D"),
            ("GET v1/contacts/email", "/results", "D"),
            ("GET v1/workflows", "/*/tags", "D"),
            ("POST v1/contacts", "/failedContacts", "D"),
            ("POST v1/contacts", "/failedContacts/*/channels", "I"),
            ("POST v1/contacts", "/failedContacts/*/fields", "I"),
            ("POST v1/message/{id}/smartsend", "/results", "D"),
            ("POST v1/message/email", "/results", "D"),
            ("POST v1/message/sms", "/results", "D"),
            ("POST v1/message/viber", "/results", "D"),
            ("POST v1/orders", "/failedOrders", "C"),
            ("POST v1/orders", "/failedOrders/*/order/items", "I"),
            ("POST v1/past_events", "/results", "I"),
            ("POST v2/past_events", "/results", "I"),
        )
    ),
    *(
        Quirk(method, pointer, letter, "numbers in quotes")
        for method, pointer, letter in (
            ("GET v1/balance", "/currentBalance", "C"),
            ("GET v1/balance", "/creditLimit", "C"),
            ("GET v1/balance", "/bonusEmails", "C"),
            ("GET v1/balance", "/bonusSmses", "C"),
            ("GET v1/contacts/email", "/results/*/contactId", "I"),
            ("GET v1/importstatus/{sessionId}", "/mapping/*/contactId", "I"),
            ("POST v1/contacts", "/failedContacts/*/fields/*/id", "I"),
            ("POST v1/contacts", "/failedContacts/*/channels/*/device/active", "I"),
        )
    ),
    *(
        Quirk(method, pointer, "I", "dates and moments without a zone, as requests write them")
        for method, pointer in (
            ("GET v1/balance/history", "/dailyCosts/*/date"),
            ("GET v1/subscriptions", "/*/createdDate"),
            ("GET v1/subscriptions", "/*/updatedDate"),
            ("GET v1/broadcast/{broadcast_id}", "/startDate"),
            ("GET v1/broadcasts", "/*/startDate"),
            ("POST v1/broadcast", "/startDate"),
        )
    ),
    Quirk("POST v1/contacts", "/failedContacts/*", "I", "an empty list is left out, so that channels are missing"),
    Quirk("GET v1/message/status", "", "C", "one object; the specification has a list of them"),
    Quirk("GET v1/contact/{id}/subscriptions", "", "U", "a list, as the text says; the schema has one object"),
    Quirk("GET addressbooks/{id}/emails", "/*/variables", "C", "no variables are an empty list"),
    Quirk("POST emails", "", "I", "nobody found is an empty list, as PHP writes an empty array"),
    Quirk("POST emails/campaigns", "", "I", "nobody found is an empty list, as PHP writes an empty array"),
    *(
        Quirk(method, "", "C", "an object; the specification has it in a list of one")
        for method in (
            *("POST sms/numbers/variables", "PUT sms/numbers", "GET sms/campaigns/info/{id}"),
            *("GET sms/numbers/info/{addressBookId}/{phoneNumber}", "POST sms/black_list", "DELETE sms/black_list"),
        )
    ),
)
"""Differences of what the sandbox answers."""

ECHOED_QUIRKS: tuple[Quirk, ...] = (
    Quirk("POST v1/contacts", "/failedContacts/*/groups", "I", "as the request had it, one object in a list's place"),
    Quirk("POST v1/contacts", "/failedContacts/*/addressBookId", "I", "as text, and as the request had it"),
)
"""Of answers that repeat their request: met where a drawn request has such a part, so they are never out of date."""
