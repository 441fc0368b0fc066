"""Make a session of requests as careful as the other clients: OAuth and the command line go through that library.

Left alone it would read passwords from ``~/.netrc``, follow redirects with them, let the environment decide whose
certificates to trust although a connection names its own, and unpack an answer of any size.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.core.transport import network
from airflow_provider_esp.core.transport.response_bodies import ACCEPT_ENCODING, Body

if TYPE_CHECKING:
    import requests

_MOST_BYTES = 2**20
"""An answer with tokens has a few kilobytes, one of Airflow's API seldom more than some hundred."""

_TOTAL = 120.0
_CHUNK = 2**16


def restrain(session: requests.Session, url: str, ca_bundle: str | None) -> None:
    """Set a session up for the server of one URL.

    :param ca_bundle: a file with the certificates to trust instead of the usual ones, or None.
    :raises ConnectionFailed: the file with the certificates is not there.
    :raises UnusableProxy: the environment names a proxy that is not an HTTP proxy.
    """
    session.max_redirects = 0
    session.cookies.set_policy(network.no_cookies())
    session.trust_env = False  # with it go ~/.netrc and REQUESTS_CA_BUNDLE's precedence over ours
    proxy = network.proxy_for(url)
    if proxy is not None:
        session.proxies = {"http": proxy, "https": proxy}
    session.verify = network.ca_file(ca_bundle)
    session.headers["Accept-Encoding"] = ACCEPT_ENCODING
    adapter = _adapter()
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)


def _adapter() -> requests.adapters.HTTPAdapter:
    # Made here, because requests takes long to import and few processes need it.
    import requests
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    class Bounded(requests.adapters.HTTPAdapter):
        """Reads every answer whole, within a limit of bytes and of time."""

        def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
            response = super().send(request, *args, **{**options, "stream": True})
            end = time.monotonic() + _TOTAL
            try:
                body = Body(response.headers.get("Content-Encoding", ""), _MOST_BYTES)
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    body.add(chunk)
                    if time.monotonic() > end:
                        raise requests.exceptions.ReadTimeout(request=request)
                response._content = body.end()
                response._content_consumed = True  # type: ignore[attr-defined]  # how requests notes it, see Response
            except ReadTimeoutError as error:
                raise requests.exceptions.ReadTimeout(error, request=request) from error
            except HTTPError as error:
                raise requests.exceptions.ConnectionError(error, request=request) from error
            finally:
                response.close()
            return response

    return Bounded()
