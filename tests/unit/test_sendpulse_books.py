"""Mailing lists: what uploads and changes of contacts send."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.sendpulse.api import addressbooks, emails


def sent(call: Call[Any]) -> Any:
    return msgspec.json.decode(call.content or b"")


def test_an_upload_takes_addresses_with_and_without_variables() -> None:
    call = addressbooks.upload(
        7, ["ann@example.com", addressbooks.NewContact("bob@example.com", {"Phone": "380", "age": 4})]
    )
    assert call.path == "addressbooks/7/emails"
    assert sent(call) == {
        "emails": ["ann@example.com", {"email": "bob@example.com", "variables": {"Phone": "380", "age": 4}}]
    }


def test_an_upload_may_be_repeated_unless_it_mails_people_a_confirmation() -> None:
    assert addressbooks.upload(7, ["a@b.c"]).repeatable
    call = addressbooks.upload(
        7, ["a@b.c"], confirmation="force", sender_email="shop@b.c", message_lang="ua", template_id="99"
    )
    assert not call.repeatable
    assert sent(call) == {
        "emails": ["a@b.c"],
        "confirmation": "force",
        "sender_email": "shop@b.c",
        "message_lang": "ua",
        "template_id": "99",
    }


def test_a_confirmation_needs_its_sender() -> None:
    with pytest.raises(ValueError, match="sender_email"):
        addressbooks.upload(7, ["a@b.c"], confirmation="force")


def test_options_of_an_upload_are_sent_only_where_given() -> None:
    call = addressbooks.upload(7, ["a@b.c"], tags=(1, 2), disable_webhook=False, dont_update=True, check_emails=True)
    assert sent(call) == {
        "emails": ["a@b.c"],
        "tags": [1, 2],
        "disable_webhook": False,
        "dont_update": True,
        "check_emails": True,
    }


def test_an_upload_needs_somebody() -> None:
    with pytest.raises(ValueError, match="at least one contact"):
        addressbooks.upload(7, [])


@pytest.mark.parametrize("change", [addressbooks.unsubscribe, addressbooks.emails_delete])
def test_a_hundred_addresses_can_be_changed_at_once_and_no_more(change: Any) -> None:
    many = [f"p{number}@example.com" for number in range(100)]
    assert sent(change(7, many)) == {"emails": many}
    for wrong in ([], [*many, "one@example.com"]):
        with pytest.raises(ValueError, match="from 1 to 100"):
            change(7, wrong)


def test_deleting_contacts_has_a_body() -> None:
    call = addressbooks.emails_delete(7, ["a@b.c"])
    assert (call.method, sent(call)) == ("DELETE", {"emails": ["a@b.c"]})


def test_setting_variables_sends_names_and_values() -> None:
    call = addressbooks.variables_set(7, "a@b.c", {"town": "Київ", "visits": 3})
    assert sent(call) == {
        "email": "a@b.c",
        "variables": [{"name": "town", "value": "Київ"}, {"name": "visits", "value": 3}],
    }
    with pytest.raises(ValueError, match="no variable"):
        addressbooks.variables_set(7, "a@b.c", {})


def test_a_new_list_and_a_rename_spell_the_name_differently() -> None:
    assert sent(addressbooks.book_create("News")) == {"bookName": "News"}
    assert sent(addressbooks.book_rename(7, "News")) == {"name": "News"}


def test_searching_by_variable_encodes_both_parts() -> None:
    assert addressbooks.emails_by_variable(7, "first name", "a/b").path == "addressbooks/7/variables/first%20name/a%2Fb"


def test_asking_for_many_addresses_needs_one() -> None:
    assert sent(emails.info_of_many(["a@b.c"])) == {"emails": ["a@b.c"]}
    with pytest.raises(ValueError, match="no address"):
        emails.stats_of_many([])


def test_a_contacts_repr_does_not_show_the_person() -> None:
    assert repr(addressbooks.NewContact("ann@example.com", {"Phone": "380"})) == "<NewContact>"
