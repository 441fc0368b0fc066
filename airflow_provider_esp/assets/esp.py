"""Assets: what a DAG may be scheduled by, named by URIs of their own, and the events that tasks leave at them.

A URI is ``esputnik://ACCOUNT/COLLECTION`` or ``esputnik://ACCOUNT/COLLECTION/NAME`` (and ``sendpulse://`` alike). The
service has no name for an account that could stand there, so ``ACCOUNT`` is the author's word for it, usually the
connection's id. Airflow reads this module through the provider's metadata (``asset-uris``; ``dataset-uris`` in 2.11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlsplit

SCHEMES = ("esputnik", "sendpulse")
COLLECTIONS = ("activity", "broadcasts", "contacts", "events", "imports", "messages", "segments")

Method = TypeVar("Method", bound=Callable[..., Any])


def asset_uri(service: str, account: str, collection: str, name: str | None = None) -> str:
    """Spell the URI of something at a service.

    :param service: ``esputnik`` or ``sendpulse``.
    :param account: the author's word for the account, usually the connection's id.
    :param collection: one of `COLLECTIONS`.
    :param name: name or id within it; None for all of it.
    :raises ValueError: that would be no URI of this provider.
    """
    path = "/".join(("", collection, *(() if name is None else (quote(name, safe=""),))))
    return sanitize_uri(SplitResult(service, quote(account, safe=""), path, "", "")).geturl()


def create_asset(
    *, service: str, account: str, collection: str, name: str | None = None, extra: Mapping[str, Any] | None = None
) -> Any:
    """Make an asset (in Airflow 2: a dataset). Arguments as in `asset_uri`.

    :param extra: facts that Airflow keeps with the asset.
    """
    from airflow.providers.common.compat.sdk import Asset

    return Asset(uri=asset_uri(service, account, collection, name), extra=dict(extra or {}))


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check a URI of this provider; Airflow's interface for an asset's ``handler``.

    :raises ValueError: it names no account or no known collection, or has parts that mean nothing here.
    """
    shape = f"{uri.scheme}://ACCOUNT/COLLECTION[/NAME]"
    if "@" in uri.netloc or ":" in uri.netloc:
        raise ValueError(f"The account in {shape} has neither user nor port.")
    if not uri.netloc:
        raise ValueError(f"The URI must be {shape}; the account is missing.")
    if uri.query or uri.fragment:
        raise ValueError(f"The URI must be {shape}, without ? and #; write them as %3F and %23 in a name.")
    _, collection, *names = (uri.path or "/").rstrip("/").split("/") if uri.path.strip("/") else ("", "")
    if collection not in COLLECTIONS:
        raise ValueError(f"The URI must be {shape}; the collections are {', '.join(COLLECTIONS)}.")
    if len(names) > 1 or names == [""]:
        raise ValueError(f"The URI must be {shape}; write / in a name as %2F.")
    return uri._replace(path="/".join(("", collection, *names)))


def convert_asset_to_openlineage(asset: Any, lineage_context: Any) -> Any:
    """Return the OpenLineage dataset of an asset; Airflow's interface for ``to_openlineage_converter``.

    :param asset: with a URI of this provider.
    :param lineage_context: not used: everything stands in the URI.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    namespace, name = lineage_name(asset.uri)
    return Dataset(namespace=namespace, name=name)


def lineage_name(uri: str) -> tuple[str, str]:
    """Return an asset's namespace and name in OpenLineage."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}", unquote(parts.path.removeprefix("/"))


def tells_outlets(method: Method) -> Method:
    """Let an operator's method that ends its work tell its ``outlets`` what it returns; see `tell_outlets`.

    What it returned stays with the operator as ``ended_with``, for its lineage.
    """

    @wraps(method)
    def telling(self: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        result = method(self, context, *args, **kwargs)
        self.ended_with = result
        if isinstance(result, Mapping):
            tell_outlets(context, short(result))
        return result

    return telling  # type: ignore[return-value]


def short(result: Mapping[str, Any]) -> dict[str, Any]:
    """Take what an event should carry out of a task's result: counts, words and ids of imports, no long list."""
    return {
        name: value
        for name, value in result.items()
        if value is None or isinstance(value, str | int | float | dict) or name == "imports"
    }


def tell_outlets(context: Any, facts: Mapping[str, Any]) -> None:
    """Add facts to the events that a task leaves at its ``outlets`` when it succeeds.

    :param context: the task's context.
    :param facts: small, JSON-able, and no row in it: counts by outcome, ids of imports, where the report is.
    """
    outlets = getattr(context.get("task"), "outlets", None) or ()
    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        if hasattr(outlet, "uri"):  # an alias is resolved by whoever adds assets to it
            events[outlet].extra.update(facts)
