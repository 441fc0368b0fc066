"""Refusing what comes without TLS: passwords, codes and tokens have no business there."""

from __future__ import annotations

from functools import wraps

from starlette.responses import Response

from ..responses import Refused
from ..routing import Handler, Incoming


def over_tls(endpoint: Handler) -> Handler:
    """Let an endpoint answer over TLS only."""

    @wraps(endpoint)
    def checked(incoming: Incoming) -> Response:
        if not incoming.secure:
            raise Refused(403, "The authorisation server speaks TLS only")
        return endpoint(incoming)

    return checked
