"""Who has unsubscribed, from everything at SendPulse that can be asked for it.

There is no one list of them: people leave transactional mail, single mailing lists or everything, and the account's
owner has a blacklist. Whoever stands in one of these is meant here.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.paging import for_each
from airflow_provider_esp.exceptions import ObjectNotFound
from airflow_provider_esp.services.sendpulse.api import account, addressbooks, smtp
from airflow_provider_esp.services.sendpulse.mapping import contacts as contact_mapping

FROM_THE_LIST = 4
FROM_EVERYTHING = 6
"""Statuses of a mailing list's contact: unsubscribed from it, and from everything (`books.BookEmail.status`)."""


def everybody(take: Callable[[str], object], book: str | None = None) -> Flow[None]:
    """Read the addresses of everybody who has unsubscribed: some come more than once, and numbers are not among them.

    `GET smtp/unsubscribe`, `GET blacklist`, and `GET addressbooks/{id}/emails` of every list.

    :param take: called with each address.
    :param book: a mailing list, by name or id, that is to be added to: then leaving another list does not count. None
        where a message is to be sent: then leaving any list does.
    """
    yield from for_each(smtp.all_unsubscribed(), lambda person: take(person.email))
    for address in (yield from account.blacklist()):
        take(address)
    own = None if book is None else (yield from _number_of(book))
    numbers: list[int] = []
    yield from for_each(addressbooks.all_books(), lambda one: numbers.append(one.id))
    for number in numbers:
        gone = {FROM_EVERYTHING, FROM_THE_LIST} if book is None or number == own else {FROM_EVERYTHING}
        yield from _gone_from(number, gone, take)


def _number_of(book: str) -> Flow[int | None]:
    try:
        return (yield from contact_mapping.book_id(book))
    except ObjectNotFound:  # the upload is going to make it
        return None


def _gone_from(number: int, gone: set[int], take: Callable[[str], object]) -> Flow[None]:
    def look(contact: addressbooks.BookEmail) -> None:
        if contact.status in gone:
            take(contact.email)

    yield from for_each(addressbooks.all_emails(number, not_active=True), look)
