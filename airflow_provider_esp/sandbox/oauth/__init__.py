"""eSputnik's authorisation server: applications, a consent page for people, codes and tokens.

It is a service of the sandbox like the others, under ``/uaa``, but answers over TLS only:
`tls_server.AuthorisationServer` serves it, with a certificate of a CA made when it starts. What the vendor does not
document is a setting, or is marked as this sandbox's choice.
"""

from __future__ import annotations

from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Endpoint, Incoming
from ..service import Service
from ..state import SandboxState
from . import consent, registry, tokens


def _nobody(incoming: Incoming, endpoint: Endpoint) -> str:
    raise Refused(401, "Unauthorized")


def _refuse(state: SandboxState, refused: Refused) -> Response:
    error = "invalid_request" if refused.status < 500 else "server_error"
    return responses.json({"error": error, "error_description": refused.text}, refused.status, refused.headers)


UAA = Service(
    name="uaa",
    title="eSputnik OAuth",
    prefix="/uaa",
    schema=registry.SQL,
    routes=(consent.routes, tokens.routes),
    seed=registry.seed,
    authorise=_nobody,
    refuse=_refuse,
    settle=lambda state: None,
    render=lambda template, data: template,
    settings=registry.SETTINGS,
    sections=(registry.APPLICATIONS, registry.GRANTS),
)
