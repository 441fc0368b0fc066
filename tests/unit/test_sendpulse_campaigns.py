"""Campaigns: what creating one sends, and what its status codes mean."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.sendpulse.api import campaigns
from airflow_provider_esp.services.sendpulse.api.campaigns import Progress

PLAIN = campaigns.NewCampaign("Shop", "shop@example.com", "Hello", html="<b>Hi</b>", list_ids=(5,))


def sent(call: Call[Any]) -> Any:
    return msgspec.json.decode(call.content or b"")


@pytest.mark.parametrize(
    ("code", "progress"),
    [
        (0, Progress.RUNNING),
        (1, Progress.ACTION_REQUIRED),
        (2, Progress.RUNNING),
        (3, Progress.DONE),
        (4, Progress.RUNNING),
        (5, Progress.FAILED),
        (6, Progress.FAILED),
        (7, Progress.RUNNING),
        (8, Progress.DONE),
        (9, Progress.RUNNING),
        (10, Progress.RUNNING),
        (11, Progress.ACTION_REQUIRED),
        (12, Progress.FAILED),
        (13, Progress.RUNNING),
        (14, Progress.RUNNING),
        (15, Progress.RUNNING),
        (16, Progress.FAILED),
        (22, Progress.RUNNING),
        (23, Progress.DONE),
        (25, Progress.FAILED),
        (26, Progress.ACTION_REQUIRED),
        (27, Progress.ACTION_REQUIRED),
        (28, Progress.RUNNING),
        (33, Progress.FAILED),
        (36, Progress.ACTION_REQUIRED),
    ],
)
def test_every_status_code_is_sorted_by_progress(code: int, progress: Progress) -> None:
    assert campaigns.progress(code) is progress
    status = campaigns.Status.of(code)
    assert status is not None
    assert status.code == code
    assert campaigns.status_words(code) == f"{code} ({status.words})"


def test_the_table_holds_no_code_twice_and_none_but_the_documented() -> None:
    codes = [status.code for status in campaigns.Status]
    documented = {*range(17), 22, 23, 25, 26, 27, 28, 33, 36}
    assert len(codes) == len(set(codes))
    assert set(codes) == documented


@pytest.mark.parametrize("code", [17, 24, 99, -1, None])
def test_a_code_nobody_documented_is_running(code: int | None) -> None:
    assert campaigns.progress(code) is Progress.RUNNING
    assert campaigns.status_words(code) == f"{code} (not documented)"


def test_a_campaign_sends_its_html_as_base64_and_a_single_list_as_a_number() -> None:
    assert sent(campaigns.create(PLAIN)) == {
        "sender_name": "Shop",
        "sender_email": "shop@example.com",
        "subject": "Hello",
        "body": "PGI+SGk8L2I+",
        "list_id": 5,
    }


def test_everything_a_campaign_may_have_is_sent_under_the_vendors_name() -> None:
    full = campaigns.NewCampaign(
        "Shop",
        "shop@example.com",
        "Hello",
        template_id="abc",
        list_ids=(5, 6),
        name="May",
        send_date="2030-01-02 03:04:05",
        attachments={"a.txt": "text"},
        attachments_binary={"b.bin": b"\x00"},
        amp_html="<p>",
        use_dynamic_list=True,
        track_clicks=False,
        utm_campaign="may",
    )
    assert sent(campaigns.create(full)) == {
        "sender_name": "Shop",
        "sender_email": "shop@example.com",
        "subject": "Hello",
        "template_id": "abc",
        "list_id": [5, 6],
        "name": "May",
        "send_date": "2030-01-02 03:04:05",
        "attachments": {"a.txt": "text"},
        "attachments_binary": {"b.bin": "AA=="},
        "body_amp": "PHA+",
        "use_dynamic_list": True,
        "stats": {"clicks": False, "utm_campaign": "may"},
    }


def test_tests_and_drafts_say_what_they_are() -> None:
    assert sent(campaigns.create_test(PLAIN))["is_test"] is True
    assert sent(campaigns.create_draft(PLAIN))["type"] == "draft"
    assert not {"is_test", "type"} & sent(campaigns.create(PLAIN)).keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"html": None}, "either html or template_id"),
        ({"template_id": 1}, "either html or template_id"),
        ({"list_ids": ()}, "either list_ids or segment_id"),
        ({"segment_id": 1}, "either list_ids or segment_id"),
        ({"list_ids": tuple(range(11))}, "up to 10"),
        ({"attachments": dict.fromkeys("abcdef", "")}, "up to 5"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused_before_it_is_sent(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        campaigns.create(replace(PLAIN, **changes))


def test_a_segment_stands_for_lists() -> None:
    assert sent(campaigns.create(replace(PLAIN, list_ids=(), segment_id=9)))["segment_id"] == 9


@pytest.mark.parametrize("lists", [(), (1, 2)])
def test_a_test_goes_to_exactly_one_list(lists: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        campaigns.create_test(replace(PLAIN, list_ids=lists, segment_id=None if lists else 9))


def test_a_change_sends_what_is_given_and_needs_something() -> None:
    assert sent(campaigns.change(3, subject="New", template_id=4)) == {"subject": "New", "template_id": 4}
    with pytest.raises(ValueError, match="nothing to change"):
        campaigns.change(3)


def test_a_campaigns_repr_shows_neither_sender_nor_text() -> None:
    assert repr(PLAIN) == "<NewCampaign>"
