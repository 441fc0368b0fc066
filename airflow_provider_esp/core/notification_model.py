"""A notice: a few words to a few people of one's own, as a notifier sends them; no campaign and no template."""

from __future__ import annotations

from html import escape

import msgspec


class Notification(msgspec.Struct, frozen=True):
    """A text to be sent by e-mail or as an SMS.

    :ivar text: plain text.
    :ivar emails: addresses, each of which gets a message of its own; or
    :ivar phones: phone numbers.
    :ivar subject: of the e-mail.
    :ivar sender: who it comes from, as the service writes senders; None for the connection's, where it has one.
    """

    text: str
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    subject: str = ""
    sender: str | None = None

    def __repr__(self) -> str:
        return f"<Notification to {len(self.emails) + len(self.phones)}>"

    @property
    def html(self) -> str:
        """The text as HTML, line by line."""
        return escape(self.text).replace("\n", "<br>\n")
