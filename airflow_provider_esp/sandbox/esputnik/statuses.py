"""The status of eSputnik's instant messages: ``GET v1/message/status`` and its older twins by channel."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from ..settings import Setting
from . import delivery, legacy_format

routes = Routes(right="messages")

SETTINGS = {
    "esputnik.status_as_list": Setting(False, "GET message/status answers a list of one object, as specified"),
    "esputnik.status_most": Setting(1000, "how many ids GET message/status takes"),
}


@routes("GET", "v1/message/status")
def status(incoming: Incoming) -> Response:
    """Return the status of messages by request id; unknown ids are left out."""
    answer = {"results": _statuses(incoming, None)}
    if incoming.state.settings["esputnik.status_as_list"]:
        return responses.json([answer])
    return legacy_format.answer(incoming, answer)


def _register_old(channel: str) -> None:
    @routes("GET", f"v1/message/{channel}/status")
    def old_status(incoming: Incoming) -> Response:
        """Return the status of messages of one channel: the older twin of message/status."""
        return legacy_format.answer(incoming, {"results": _statuses(incoming, channel)})


for _channel in ("email", "sms", "viber"):
    _register_old(_channel)


def _statuses(incoming: Incoming, channel: str | None) -> list[dict[str, Any]]:
    ids = [item.strip() for item in incoming.query.get("ids", "").split(",") if item.strip()]
    most = incoming.state.settings["esputnik.status_most"]
    if not ids:
        raise Refused(400, "ids should not be empty")
    if len(ids) > most:
        raise Refused(400, f"ids should hold at most {most} items")
    results = []
    for request_id in ids:
        row = incoming.state.outbox.by_request("esputnik", request_id)
        if row is None or (channel is not None and row["channel"] != channel):
            continue
        word = incoming.state.outbox.status(row["id"])
        ended = word not in delivery.WAITING
        done = word in delivery.DELIVERED
        results.append({"status": word, "requestId": request_id, "failed": ended and not done, "delivered": done})
    return results
