"""`AuthorisationServer`: the authorisation server of a running sandbox, over TLS.

The certificate is signed by a CA that is made when the server starts and forgotten when it stops; clients name its
file as the bundle to trust.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from types import TracebackType

import trustme

from .app import build
from .http_server import HOST, HttpServer
from .oauth import registry
from .server import Sandbox


class AuthorisationServer:
    """eSputnik's authorisation server on loopback, over TLS, for a sandbox that runs.

    :param sandbox: whose accounts and whose clock these are.
    :param port: TCP port; 0 picks a free one.
    :param ca_file: where the CA's certificate is written; None puts it into a temporary folder.
    """

    def __init__(self, sandbox: Sandbox, port: int = 0, ca_file: str | Path | None = None) -> None:
        self._sandbox = sandbox
        authority = trustme.CA(organization_name="Sandbox")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "localhost").configure_cert(context)
        self._folder = tempfile.TemporaryDirectory(prefix="esp-sandbox-")
        self.ca_file = Path(ca_file) if ca_file else Path(self._folder.name) / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self._http_server = HttpServer(build(sandbox.registry), port, context)

    def start(self) -> AuthorisationServer:
        """Start to serve; returns when requests are answered.

        :raises OSError: the port is taken.
        """
        self._http_server.start()
        return self

    def stop(self) -> None:
        """Stop serving; the CA's file is removed, unless a place for it was given."""
        self._http_server.stop()
        self._folder.cleanup()

    def __enter__(self) -> AuthorisationServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it is: the vendor's ``https://uaa.esputnik.com/uaa``."""
        return f"https://{HOST}:{self._http_server.port}/uaa"

    @property
    def authorize_url(self) -> str:
        """Where a person consents."""
        return f"{self.url}/oauth/authorize"

    @property
    def token_url(self) -> str:
        """Where codes and refresh tokens are exchanged."""
        return f"{self.url}/oauth/token"

    def register(self, name: str, callback: str, right: str = "full") -> tuple[str, str]:
        """Register an application.

        :param right: a key of `registry.RIGHTS`.
        :return: client id and secret.
        """
        return registry.add(self._sandbox.state, name, callback=callback, scope=right)

    def consent(self, client_id: str, callback: str) -> str:
        """Consent at once, as a person would, for tests that are about what follows.

        :return: a code.
        """
        return registry.new_code(self._sandbox.state, client_id, registry.USER, callback)
