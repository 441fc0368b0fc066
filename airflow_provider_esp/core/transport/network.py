"""What both clients go by: how many connections, whose certificates, which proxy, and what to say of a lost request.

The sentences hold neither a URL nor an address, and name the limit that was passed. Whether a lost request may have
reached the service decides if it may be sent again, so that too is said here, once for both.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from http.cookiejar import CookiePolicy, DefaultCookiePolicy
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.transport.account import Account
from airflow_provider_esp.core.transport.exchange import TransportFailure
from airflow_provider_esp.exceptions import BodyRefused, UnusableProxy
from airflow_provider_esp.utils.redaction import redact
from airflow_provider_esp.utils.urls import is_loopback

CONNECTIONS = 100
"""How many one client opens at most."""

IDLE_SECONDS = 2.0
"""How long a connection may be idle and be used again.

Shorter than servers keep one: a request that meets one just closed could not be sent again where it is not repeatable,
because it is unknown whether it arrived.
"""


def certificates(account: Account) -> ssl.SSLContext:
    """Return the TLS settings of a client: the certificates to trust, see `ca_file`."""
    file = ca_file(account.ca_bundle)
    if os.path.isdir(file):
        return ssl.create_default_context(capath=file)
    written = os.stat(file)
    return _trusting(file, (written.st_mtime_ns, written.st_size, written.st_ino))


@lru_cache(maxsize=16)
def _trusting(file: str, written: tuple[int, int, int]) -> ssl.SSLContext:
    """Trust the certificates in a file: reading Mozilla's takes 20 ms, and a process makes many clients.

    :param written: tells what stands in the file from what stood there before.
    """
    return ssl.create_default_context(cafile=file)


def ca_file(ca_bundle: str | None) -> str:
    """Return the file, or folder, with the certificates to trust: one order for all clients, whatever library they use.

    The connection's own (or a command's ``--ca-bundle``), then the environment's ``SSL_CERT_FILE``, ``SSL_CERT_DIR``
    and ``REQUESTS_CA_BUNDLE``, then Mozilla's.

    :param ca_bundle: what the connection or the command names, or None.
    :raises ConnectionFailed: it is not there.
    """
    places = {"ca_bundle": ca_bundle, **{name: os.environ.get(name) for name in _CA_VARIABLES}}
    for name, file in places.items():
        if file and not os.path.exists(file):
            raise exceptions.ConnectionFailed(
                f"{name} names {file}, which should hold the certificates to trust and is not there",
                advice=f"Correct {name}, or remove it to trust the usual ones.",
            )
        if file:
            return file
    return certifi.where()


_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


def no_cookies() -> CookiePolicy:
    """Make the rule by which a service's cookies are neither kept nor sent: one account's are nothing to the next."""
    return DefaultCookiePolicy(allowed_domains=())


def proxy_for(url: str) -> str | None:
    """Return the address of the proxy that the environment names for a URL, or None.

    A proxy is for the world outside, not for a sandbox on this machine.

    :raises UnusableProxy: it is not an HTTP proxy.
    """
    parts = urlsplit(url)
    if is_loopback(url) or proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or "://" not in named:
        return f"http://{named}" if named else None
    if urlsplit(named).scheme not in ("http", "https"):
        raise UnusableProxy(f"the environment names a proxy by {urlsplit(named).scheme}, and triggers know http alone")
    return named


# -- what to say of a request that is lost -----------------------------------------------------------------------------


def why(error: BaseException) -> str:
    """Return an exception's own words, or at least its name."""
    return str(error) or type(error).__name__


def not_connected(account: Account, reason: str) -> TransportFailure:
    """Make the failure of a connection that was not made."""
    return TransportFailure(
        exceptions.ConnectionFailed, f"no connection to {_host(account)}: {redact(reason)}", sent=False
    )


def not_connected_in_time(account: Account) -> TransportFailure:
    """Make the failure of a connection that was not made in time."""
    seconds = account.timeouts.connect
    return TransportFailure(
        exceptions.ConnectionFailed, f"no connection to {_host(account)} within {seconds:g} s", sent=False
    )


def all_busy() -> TransportFailure:
    """No connection became free."""
    return TransportFailure(exceptions.ConnectionFailed, "all connections were busy for too long", sent=False)


def not_made(reason: str) -> TransportFailure:
    """There is no such request: its URL is none."""
    return TransportFailure(exceptions.ConnectionFailed, f"the request could not be made: {redact(reason)}", sent=False)


def silent(account: Account) -> TransportFailure:
    """Make the failure of a service that said nothing for too long."""
    return TransportFailure(exceptions.TimedOut, f"no answer within {account.timeouts.silence:g} s", sent=True)


def too_long(account: Account) -> TransportFailure:
    """Make the failure of a request that took too long, however much came meanwhile."""
    return TransportFailure(exceptions.TimedOut, f"no whole answer within {account.timeouts.total:g} s", sent=True)


def unusable(refused: BodyRefused) -> TransportFailure:
    """Make the failure of a response whose body is too large, or compressed in a way that cannot be read."""
    return TransportFailure(exceptions.UnexpectedResponse, str(refused), sent=True)


def broken(reason: str) -> TransportFailure:
    """Make the failure of a connection that ended early, or that brought something else than HTTP."""
    return TransportFailure(
        exceptions.ConnectionLost, f"the connection broke before the whole answer came: {redact(reason)}", sent=True
    )


def _host(account: Account) -> str:
    return urlsplit(account.base_url).netloc
