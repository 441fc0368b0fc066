r"""Which web addresses are understood, and to which of them a credential may travel: https ones, and this machine.

The HTTP libraries read addresses by parsers of their own, and these do not agree about odd ones:
``http://example.com\@localhost`` is one host for one of them and another for the next. So there is one rule here, and
it takes only what all of them read alike; a test holds it against each.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<ipv6>[0-9A-F:.]+)\]|(?P<name>[0-9A-Z](?:[0-9A-Z._-]*[0-9A-Z])?\.?))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][!#-;=?-\[\]-~]*)?",  # what can be seen, but for quotation marks, < > and the backslash
    re.IGNORECASE | re.ASCII,
).fullmatch
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class WebAddress:
    """The parts of a web address that decide where a request goes.

    :param scheme: ``http`` or ``https``.
    :param host: in lower case, without brackets.
    :param port: the one that is named, or the scheme's own.
    """

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether it leads to this machine: ``localhost``, 127.0.0.0/8 or ::1."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def web_address(url: str) -> WebAddress:
    """Read a web address.

    :raises ValueError: it is not one, or not one that every HTTP library reads alike: it holds a user name, a
        backslash, a blank, odd brackets, or letters that are not ASCII. The message does not quote it.
    """
    parts = _ADDRESS(url)
    if parts is not None:
        scheme, host = parts["scheme"].lower(), (parts["ipv6"] or parts["name"]).lower()
        port = int(parts["port"]) if parts["port"] else _DEFAULT_PORTS[scheme]
        if 0 < port <= _HIGHEST_PORT and (parts["ipv6"] is None or _is_ipv6(host)):
            return WebAddress(scheme, host, port)
    raise ValueError("not a plain web address such as https://example.com/path")


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def is_loopback(url: str) -> bool:
    """Check whether a URL leads to this machine: ``localhost``, 127.0.0.0/8 or ::1."""
    try:
        return web_address(url).is_loopback
    except ValueError:
        return False


def is_safe(url: str) -> bool:
    """Check whether a credential may be sent to a URL: over https, or to this machine."""
    try:
        address = web_address(url)
    except ValueError:
        return False
    return address.scheme == "https" or address.is_loopback
