"""Asset URIs: what they name, what is refused, and what Airflow makes of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import airflow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.assets.esp import (
    COLLECTIONS,
    SCHEMES,
    asset_uri,
    create_asset,
    lineage_name,
    sanitize_uri,
    short,
    tell_outlets,
    tells_outlets,
)

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")


@given(st.sampled_from(SCHEMES), st.text(min_size=1), st.sampled_from(COLLECTIONS), st.text(min_size=1))
def test_any_name_makes_a_uri_that_stays_as_it_is(scheme: str, account: str, collection: str, name: str) -> None:
    uri = asset_uri(scheme, account, collection, name)
    assert sanitize_uri(urlsplit(uri)).geturl() == uri
    assert lineage_name(uri)[1] == f"{collection}/{name}"


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("esputnik:///contacts", "the account is missing"),
        ("esputnik://shop", "the collections are"),
        ("esputnik://shop/", "the collections are"),
        ("esputnik://shop/contcts", "the collections are activity, broadcasts, contacts"),
        ("esputnik://user:pw@shop/contacts", "neither user nor port"),
        ("esputnik://shop:80/contacts", "neither user nor port"),
        ("sendpulse://shop/segments/a/b", "write / in a name as %2F"),
        ("sendpulse://shop/segments?x=1", "without . and #"),
    ],
)
def test_what_names_nothing_is_refused_with_what_to_write(uri: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        sanitize_uri(urlsplit(uri))
    assert "pw@" not in str(caught.value)


def test_a_slash_at_the_end_is_dropped() -> None:
    assert sanitize_uri(urlsplit("esputnik://shop/contacts/")).geturl() == "esputnik://shop/contacts"


def test_airflow_checks_the_uris_of_assets_by_it() -> None:
    asset = create_asset(service="esputnik", account="shop", collection="segments", name="Big spenders")
    assert asset.uri == "esputnik://shop/segments/Big%20spenders"
    from airflow.providers.common.compat.sdk import Asset

    if IS_AIRFLOW_2:
        with pytest.warns(UserWarning, match="the collections are"):
            Asset("esputnik://shop/nonsense")
    else:
        with pytest.raises(ValueError, match="the collections are"):
            Asset("esputnik://shop/nonsense")


class _Events(dict[Any, Any]):
    def __missing__(self, key: Any) -> Any:
        self[key] = SimpleNamespace(extra={})
        return self[key]


def test_a_tasks_outlets_are_told_its_counts() -> None:
    asset = create_asset(service="esputnik", account="shop", collection="contacts")
    events = _Events()
    context = {"task": SimpleNamespace(outlets=[asset, SimpleNamespace(name="an alias")]), "outlet_events": events}
    tell_outlets(context, {"accepted": 3})
    assert {key: event.extra for key, event in events.items()} == {asset: {"accepted": 3}}


def test_a_task_without_outlets_tells_nobody() -> None:
    tell_outlets({"task": SimpleNamespace(outlets=[])}, {"accepted": 3})
    tell_outlets({}, {"accepted": 3})


def test_an_event_carries_counts_and_no_long_list() -> None:
    result = {"rows": 3, "report_path": None, "imports": ["a"], "request_ids": ["x"] * 1000, "statuses": {"READ": 2}}
    assert short(result) == {"rows": 3, "report_path": None, "imports": ["a"], "statuses": {"READ": 2}}


def test_a_method_that_ends_the_work_tells_its_result_and_returns_it() -> None:
    class Work:
        outlets = ("x",)
        ended_with: Any = None

        @tells_outlets
        def execute(self, context: Any) -> dict[str, int]:
            """Work."""
            return {"rows": 1}

    work = Work()
    assert work.execute({}) == work.ended_with == {"rows": 1}
    assert Work.execute.__doc__ == "Work."
