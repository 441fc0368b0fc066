"""What takes several calls: pages, finding a list by name, deliveries. Answers are given by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, assert_type

import pytest

from airflow_provider_esp.core.calls import Call, Flow, Page, Pages
from airflow_provider_esp.core.decoding import decode
from airflow_provider_esp.core.models import Delivery, DeliveryState
from airflow_provider_esp.exceptions import EspError, ObjectNotFound
from airflow_provider_esp.services.sendpulse.api import addressbooks, automation, sms, smtp
from airflow_provider_esp.services.sendpulse.mapping import contacts as contact_mapping

T = TypeVar("T")
R = TypeVar("R")


class Refused(EspError):
    """What the transport throws into a flow, as far as a flow may look at it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def run(flow: Flow[T], answer: Callable[[Call[Any]], Any]) -> T:
    """Drive a flow: `answer` gives each call's answer, or raises what the transport would."""
    try:
        call = next(flow)
        while True:
            try:
                given = answer(call)
            except Refused as refused:
                call = flow.throw(refused)
            else:
                call = flow.send(given)
    except StopIteration as end:
        result: T = end.value
        return result


def rows(pages: Pages[R], answer: Callable[[Call[Any]], Any]) -> list[list[R]]:
    """Drive pages: the rows of each."""
    handed: list[list[R]] = []
    given: Any = None
    try:
        while True:
            item = pages.send(given)
            if isinstance(item, Page):
                handed.append(list(item.rows))
                given = None
            else:
                given = answer(item)
    except StopIteration:
        return handed


class BookShelf:
    """So many mailing lists, handed out page by page."""

    def __init__(self, names: list[str], status: int = 0) -> None:
        self.books = [addressbooks.Book(id=number, name=name, status=status) for number, name in enumerate(names, 1)]
        self.asked: list[str] = []

    def __call__(self, call: Call[Any]) -> Any:
        self.asked.append(f"{call.name}?{call.query_string}")
        if call.name == "POST addressbooks":
            return addressbooks.BookMade(4711)
        limit, offset = call.query["limit"], call.query["offset"]
        assert isinstance(limit, int)
        assert isinstance(offset, int)
        return self.books[offset : offset + limit]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (99, [99]), (100, [100]), (250, [100, 100, 50])])
def test_pages_end_with_a_short_one(count: int, sizes: list[int]) -> None:
    shelf = BookShelf([f"list {number}" for number in range(count)])
    handed = rows(addressbooks.all_books(), shelf)
    assert [len(page) for page in handed] == sizes
    assert [book.id for page in handed for book in page] == list(range(1, count + 1))
    assert len(shelf.asked) == count // 100 + 1


def test_pages_keep_their_filters() -> None:
    asked: list[str] = []

    def answer(call: Call[Any]) -> list[addressbooks.BookEmail]:
        asked.append(call.query_string)
        return [addressbooks.BookEmail("a@b.c")] * (100 if len(asked) == 1 else 0)

    handed = rows(addressbooks.all_emails(7, active=True), answer)
    assert [len(page) for page in handed] == [100]
    assert asked == ["limit=100&offset=0&active=1", "limit=100&offset=100&active=1"]


def test_pages_of_flows_are_unwrapped() -> None:
    handed = rows(automation.all_flows(), lambda _: automation.AutoFlows([automation.AutoFlow(5, "Welcome")]))
    assert [[flow.name for flow in page] for page in handed] == [["Welcome"]]


def test_a_list_is_found_by_its_exact_name_on_any_page() -> None:
    shelf = BookShelf([f"list {number}" for number in range(150)])
    assert run(contact_mapping.find_book("list 120"), shelf) == 121
    assert len(shelf.asked) == 2
    assert run(contact_mapping.find_book("list"), shelf) is None
    assert run(contact_mapping.find_book("LIST 1"), shelf) is None


def test_a_deleted_list_is_not_found() -> None:
    assert run(contact_mapping.find_book("News"), BookShelf(["News"], status=1)) is None


@pytest.mark.parametrize("given", [42, "42", " 42 "])
def test_digits_are_an_id_and_ask_nothing(given: str | int) -> None:
    shelf = BookShelf([])
    assert run(contact_mapping.book_id(given), shelf) == 42
    assert shelf.asked == []


def test_a_name_is_looked_up_and_a_missing_list_made_on_request_only() -> None:
    assert run(contact_mapping.book_id("News"), BookShelf(["Other", "News"])) == 2
    with pytest.raises(ObjectNotFound, match="no mailing list 'News'"):
        run(contact_mapping.book_id("News"), BookShelf([]))
    shelf = BookShelf([])
    assert run(contact_mapping.book_id("News", create=True), shelf) == 4711
    assert shelf.asked[-1].startswith("POST addressbooks?")
    with pytest.raises(ValueError, match="empty"):
        run(contact_mapping.book_id(" "), BookShelf([]))


def test_a_list_made_by_an_attempt_whose_answer_was_lost_is_found_by_its_name() -> None:
    call = addressbooks.book_create("News")
    assert call.when_done is not None
    assert run(call.when_done(), BookShelf(["Other", "News"])) == addressbooks.BookMade(2)
    with pytest.raises(LookupError, match="does not list it"):
        run(call.when_done(), BookShelf([]))


def records(*given: tuple[str, int | str | None]) -> list[smtp.Email]:
    return [smtp.Email(id=email_id, smtp_answer_code=code) for email_id, code in given]


def test_a_delivery_is_judged_by_the_mail_servers_answer() -> None:
    codes: list[tuple[int | str | None, DeliveryState]] = [
        (250, DeliveryState.DELIVERED),
        ("250", DeliveryState.DELIVERED),
        (251, DeliveryState.DELIVERED),
        (550, DeliveryState.FAILED),
        ("554", DeliveryState.FAILED),
        (421, DeliveryState.PENDING),
        (0, DeliveryState.PENDING),
        ("0", DeliveryState.PENDING),
        ("", DeliveryState.PENDING),
        ("n/a", DeliveryState.PENDING),
        (None, DeliveryState.PENDING),
    ]
    ids = [f"m{number}" for number in range(len(codes))]
    known = records(*((email_id, code) for email_id, (code, _) in zip(ids, codes, strict=True)))
    found = run(contact_mapping.deliveries(ids), lambda _: list(reversed(known)))
    assert [delivery.request_id for delivery in found] == ids
    assert [delivery.state for delivery in found] == [state for _, state in codes]


def test_a_deliverys_status_is_the_code_and_the_vendors_word_and_quotes_no_address() -> None:
    email = smtp.Email(
        id="m", smtp_answer_code=550, smtp_answer_code_explain="Rejected", smtp_answer_data="no ann@example.com here"
    )
    told = run(contact_mapping.deliveries(["m"]), lambda _: [email])
    assert told == [Delivery("m", DeliveryState.FAILED, "550 Rejected", "bounced")]


@pytest.mark.parametrize(
    ("tracking", "word"),
    [(smtp.Tracking(), ""), (smtp.Tracking(open=2), "read"), (smtp.Tracking(open=2, click=1), "clicked")],
)
def test_what_a_recipient_did_is_said_in_shared_words(tracking: smtp.Tracking, word: str) -> None:
    email = smtp.Email(id="m", smtp_answer_code=250, tracking=tracking)
    (told,) = run(contact_mapping.deliveries(["m"]), lambda _: [email])
    assert (told.state, told.word) == (DeliveryState.DELIVERED, word)


def test_text_messages_are_told_phone_by_phone_under_their_campaigns_id_and_without_a_number() -> None:
    phones = [
        sms.PhoneInfo(phone=f"38050111000{status}", status=status, status_explain=explain)
        for status, explain in ((1, "Sent"), (2, "Delivered"), (12, "Not delivered"))
    ]
    calls: list[str] = []

    def answer(call: Call[Any]) -> list[sms.SmsCampaignAnswer]:
        calls.append(call.path)
        listed = phones if call.path.endswith("7") else []
        return [sms.SmsCampaignAnswer(result=True, data=sms.SmsCampaign(id=7, task_phones_info=listed))]

    told = run(contact_mapping.sms_deliveries(["7", "8"]), answer)
    assert calls == ["sms/campaigns/info/7", "sms/campaigns/info/8"]
    assert told == [
        Delivery("7", DeliveryState.PENDING, "1 Sent"),
        Delivery("7", DeliveryState.DELIVERED, "2 Delivered"),
        Delivery("7", DeliveryState.FAILED, "12 Not delivered", "bounced"),
        Delivery("8", DeliveryState.PENDING, "no phones listed yet"),
    ]


def test_an_sms_campaigns_id_that_is_no_number_is_refused_before_it_is_part_of_a_path() -> None:
    with pytest.raises(ValueError, match="is a number, not 'a/b'"):
        run(contact_mapping.sms_deliveries(["a/b"]), lambda _: [])


def test_messages_the_service_does_not_list_yet_are_pending() -> None:
    found = run(contact_mapping.deliveries(["old", "new"]), lambda _: records(("old", 250)))
    assert [delivery.state for delivery in found] == [DeliveryState.DELIVERED, DeliveryState.PENDING]

    def knows_none(_: Call[Any]) -> Any:
        raise Refused("14")

    found = run(contact_mapping.deliveries(["new"]), knows_none)
    assert found == [Delivery("new", DeliveryState.PENDING, "not listed yet")]


def test_another_refusal_is_not_taken_for_patience() -> None:
    def refuses(_: Call[Any]) -> Any:
        raise Refused("832")

    with pytest.raises(Refused, match="832"):
        run(contact_mapping.deliveries(["m"]), refuses)


def test_deliveries_are_asked_for_five_hundred_at_a_time() -> None:
    sizes: list[int] = []

    def answer(call: Call[Any]) -> list[smtp.Email]:
        ids = decode(call.content or b"", dict[str, list[str]])["emails"]
        sizes.append(len(ids))
        return records(*((email_id, 250) for email_id in ids))

    ids = [f"m{number}" for number in range(1001)]
    found = run(contact_mapping.deliveries(ids), answer)
    assert sizes == [500, 500, 1]
    assert [delivery.request_id for delivery in found] == ids
    assert {delivery.state for delivery in found} == {DeliveryState.DELIVERED}
    assert run(contact_mapping.deliveries([]), answer) == []


def test_types_are_known_all_the_way() -> None:
    def flow() -> Flow[int]:
        made = yield from addressbooks.book_create("News")
        assert_type(made, addressbooks.BookMade)
        page = yield from addressbooks.books()
        assert_type(page, list[addressbooks.Book])
        found = yield from contact_mapping.find_book("News")
        assert_type(found, int | None)
        return made.id

    assert_type(addressbooks.all_emails(1), Pages[addressbooks.BookEmail])
    assert_type(contact_mapping.deliveries([]), Flow[list[Delivery]])
    assert run(flow(), BookShelf([])) == 4711
