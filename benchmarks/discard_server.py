"""A service that takes every request in, keeps nothing and answers at once: the floor under every sender.

    python benchmarks/discard_server.py [--port 0] [--exact]

Prints its port, and serves until it is ended. The answer to a POST names an import, and whoever asks how far that is
hears that it has finished, with the addresses of a batch of `people.py`: the import is named after the first of them,
so there is nothing to remember. With ``--exact`` it hears the addresses of its own contacts, and of no others, as from
the real service: where a batch travels in several requests, that is less to read. The account has three additional
fields. It knows as much of HTTP/1.1 as a client with a Content-Length needs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import ClassVar

FIELDS = {"tier": 1, "points": 2, "last_order": 3}

MOST_CONTACTS = 3000

_FIRST = re.compile(rb"user(\d+)@")
_IMPORT = re.compile(rb"importstatus/s-(\d+)")
_ADDRESS = re.compile(rb"user(\d+)@example")
_BOOKS = b'{"addressBook":{"addressBookId":1,"fieldGroups":[{"profileKey":"LOYALTY","fields":[%s]}]}}' % b",".join(
    b'{"id":%d,"fieldKey":"%s"}' % (number, name.encode()) for name, number in FIELDS.items()
)


@cache
def _finished(first: int) -> bytes:
    names = (
        b'{"dedupeValue":"user%d@example.com","contactId":%d}' % (n, n) for n in range(first, first + MOST_CONTACTS)
    )
    return b'{"status":"FINISHED","mapping":[%s]}' % b",".join(names)


def _finished_with(numbers: list[bytes]) -> bytes:
    names = (b'{"dedupeValue":"user%s@example.com","contactId":%s}' % (n, n) for n in numbers)
    return b'{"status":"FINISHED","mapping":[%s]}' % b",".join(names)


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Discard(asyncio.Protocol):
    """One connection."""

    exact = False
    imports: ClassVar[dict[int, list[bytes]]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""
        self._left = 0
        self._says = b""
        self._body: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """Count what arrives, and answer at the end of each request."""
        while data:
            if self._left:
                if not self._says:
                    found = _FIRST.search(data)
                    self._says = b'{"asyncSessionId":"s-%s","failedContacts":[]}' % (found[1] if found else b"0")
                part = min(self._left, len(data))
                if self.exact:
                    self._body.append(data[:part])
                self._left, data = self._left - part, data[part:]
            else:
                self._head, data = self._head + data, b""
                end = self._head.find(b"\r\n\r\n")
                if end < 0:
                    return
                head, data, self._head = self._head[:end], self._head[end + 4 :], b""
                self._begin(head)
            if not self._left:
                if self._body:
                    self._remember()
                self._transport.write(_answer(self._says))

    def _remember(self) -> None:
        numbers = _ADDRESS.findall(b"".join(self._body))
        self._body.clear()
        if numbers:
            self.imports[int(numbers[0])] = numbers

    def _begin(self, head: bytes) -> None:
        _, _, length = head.lower().partition(b"content-length:")
        self._left = int(length.split(b"\r\n", 1)[0] or 0)
        asked = _IMPORT.search(head)
        if self._left:
            self._says = b""
        elif not asked:
            self._says = _BOOKS
        else:
            first = int(asked[1])
            self._says = _finished_with(self.imports[first]) if first in self.imports else _finished(first)


async def serve(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Discard, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def running(*, exact: bool = False) -> Iterator[int]:
    """Run the server in a process of its own; gives its port.

    :param exact: whether an import names its own contacts only.
    """
    command = [sys.executable, str(Path(__file__)), *(["--exact"] if exact else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--exact", action="store_true", help="an import names its own contacts only")
    options = parser.parse_args()
    Discard.exact = options.exact
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port))
