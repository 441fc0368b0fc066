"""Verifying the addresses of a list, in neutral words: a list of their own for rows, the wait, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from airflow_provider_esp.core.calls import Flow, Pages
from airflow_provider_esp.core.contact_columns import ContactColumns
from airflow_provider_esp.core.export.schema import VerifiedRow
from airflow_provider_esp.core.models import Submitted, UploadOptions
from airflow_provider_esp.core.paging import map_pages
from airflow_provider_esp.exceptions import EspError
from airflow_provider_esp.services.sendpulse import targets
from airflow_provider_esp.services.sendpulse.api import addressbooks, verifier
from airflow_provider_esp.services.sendpulse.api._request import moment
from airflow_provider_esp.services.sendpulse.mapping import contacts as contact_mapping
from airflow_provider_esp.services.sendpulse.service import SENDPULSE

_STATUS = {
    verifier.UNVERIFIED: "unverified",
    verifier.VALID: "valid",
    verifier.UNCONFIRMED: "unconfirmed",
    verifier.INVALID: "invalid",
}


@dataclass(frozen=True, slots=True)
class Upload(targets.Upload):
    """Addresses, and nothing else of people, into the list that is verified; no webhook is told of them."""

    def submit(self, contacts: ContactColumns) -> Flow[Submitted]:
        """Hand addresses over."""
        addresses = [contact_mapping.new_contact(contact).email for contact in contacts.contacts()]
        yield from addressbooks.upload(self.book_id, addresses, disable_webhook=True)
        return Submitted()


class Verification:
    """What `VerifyContactsOperator` asks of the service.

    :param zone: the account's time zone.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def find_list(self, name_or_id: str) -> Flow[str]:
        """Return the id of a mailing list.

        :raises ObjectNotFound: there is none of that name.
        """
        return str((yield from contact_mapping.book_id(name_or_id)))

    def create_list(self, name: str) -> Flow[str]:
        """Make a list for the addresses of a source; one that an earlier try has left behind is deleted first."""
        left = yield from addressbooks.find(name)
        if left is not None:
            yield from addressbooks.book_delete(left)
        return str((yield from addressbooks.book_create(name)).id)

    def delete_list(self, list_id: str) -> Flow[None]:
        """Delete the list that was made for a source."""
        yield from addressbooks.book_delete(int(list_id))

    def upload(self, list_id: str | None) -> Upload:
        """Return where the addresses of a source go.

        :param list_id: None in a dry run, which makes no list.
        """
        return Upload(int(list_id or 0), UploadOptions(segments=(list_id or "",)))

    def start(self, list_id: str) -> Flow[None]:
        """Begin: `POST verifier-service/send-list-to-verify`.

        A list that is being verified, or was and has no new addresses, is refused; then there is nothing to begin.
        """
        try:
            yield from verifier.list_verify(int(list_id))
        except EspError as refused:
            if not (yield from self._is_known(int(list_id))):
                raise refused from None

    def _is_known(self, list_id: int) -> Flow[bool]:
        """Check whether a list is being verified, or was and has no new addresses."""
        try:
            answer = yield from verifier.list_progress(list_id)
            if answer.data is not None and answer.data.processed < answer.data.total:
                return True
            result = yield from verifier.list_result(list_id, 0, 1)
        except EspError:
            return False
        return bool(result.status) and not result.is_updated

    def progress(self, list_id: str) -> Flow[tuple[int, int]]:
        """Ask how many addresses have been looked at, and how many there are: `GET verifier-service/get-progress`.

        A list of which the service says nothing there is done when its result has a colour.
        """
        answer = yield from verifier.list_progress(int(list_id))
        if answer.data is not None:
            return answer.data.processed, answer.data.total
        result = yield from verifier.list_result(int(list_id), 0, 1)
        total = result.email_addresses_total or result.all_emails_quantity
        return (total if result.status else 0), total

    def results(self, list_id: str, segment: str | None) -> Pages[VerifiedRow]:
        """Read what was found of every address: `GET verifier-service/check`.

        :param segment: what the rows say of the list.
        """

        def row(found: verifier.Verified) -> VerifiedRow:
            return VerifiedRow(
                email=found.email_address,
                status=_STATUS.get(found.status, str(found.status)),
                reason=found.status_text or None,
                checked_at=moment(found.check_date, self._zone),
                segment=segment,
                service=SENDPULSE.name,
            )

        return map_pages(verifier.list_addresses(int(list_id)), row)

    def addresses(self, list_id: str, segment: str | None) -> Pages[VerifiedRow]:
        """Read every address of the list, as one that was not verified: `GET addressbooks/{id}/emails`."""

        def row(contact: addressbooks.BookEmail) -> VerifiedRow:
            return VerifiedRow(email=contact.email, status="unverified", segment=segment, service=SENDPULSE.name)

        return map_pages(addressbooks.all_emails(int(list_id)), row)
