"""The refusal of repeated requests: the same request within a minute is answered 409 ``Duplicated request``.

The same means: same verb, same path, same body. Only requests that were accepted count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps

from starlette.responses import Response

from ..responses import Refused
from ..routing import Incoming
from ..settings import Setting

SETTINGS = {
    "esputnik.repeat_seconds": Setting(60.0, "how long a repeated contact request is answered 409; 0 switches it off"),
}


def once_a_minute(function: Callable[[Incoming], Response]) -> Callable[[Incoming], Response]:
    """Make an endpoint refuse what it has accepted a moment ago."""

    @wraps(function)
    def guarded(incoming: Incoming) -> Response:
        request = f"{incoming.method} {incoming.path}\n".encode() + incoming.body
        digest = hashlib.blake2b(request, digest_size=16).hexdigest()
        since = incoming.now - incoming.state.settings["esputnik.repeat_seconds"]
        if incoming.store.one("SELECT 1 FROM esputnik_repeats WHERE digest = ? AND at > ?", digest, since):
            raise Refused(409, "Duplicated request")
        response = function(incoming)
        incoming.store.run("INSERT OR REPLACE INTO esputnik_repeats VALUES (?, ?)", digest, incoming.now)
        return response

    return guarded
