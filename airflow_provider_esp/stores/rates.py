"""Where the rate limits of an account are kept that all its processes share: Redis, PostgreSQL, or a folder.

The connection's extra ``rate_store`` names an Airflow connection of type ``redis`` or ``postgres``, or a folder as
``file:///path`` for processes of one machine. Kept are times and counts under a digest of the account, no name and no
credential. Each store is asked for two things (`RateStore`), and tells its own clock's time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_esp.core.transport.shared_throttle import RateStore
from airflow_provider_esp.exceptions import ConnectionInvalid, headline

if TYPE_CHECKING:
    import psycopg2.extensions
    import redis

_TIMEOUT = 2.0
_KEPT_SECONDS = 2 * 86400  # longer than the longest window
_MOST_BYTES = 2**20


class RedisRates:
    """The lanes of one account in a server that speaks Redis's language (Redis 2.6 and later, Valkey, KeyDB).

    :param connection: an Airflow connection; of its extra, ``db``, ``ssl``, ``ssl_cert_reqs``, ``ssl_ca_certs``,
        ``ssl_certfile`` and ``ssl_keyfile`` are heeded, as Airflow's own hook does.
    :param account: what tells accounts apart, see `account_key`.
    """

    _READ = "local t = redis.call('TIME') return {redis.call('GET', KEYS[1]), t[1], t[2]}"
    _SWAP = (
        "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end "
        "redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) return 1"
    )

    def __init__(self, connection: Any, account: str) -> None:
        self.title = f"Redis (connection {connection.conn_id})"
        self._connection = connection
        self._key = f"airflow-esp:rates:{account}"

    def read(self) -> tuple[bytes | None, float]:
        """Return what is kept, and the server's time; see `RateStore`."""
        text, seconds, microseconds = self._eval(self._READ)
        return text, int(seconds) + int(microseconds) / 1e6

    def swap(self, old: bytes | None, new: bytes) -> bool:
        """Keep the new text in the old one's place; see `RateStore`."""
        return bool(self._eval(self._SWAP, old or b"", new, _KEPT_SECONDS))

    def _eval(self, script: str, *arguments: bytes | int) -> Any:
        import redis

        try:
            return self._client.eval(script, 1, self._key, *arguments)
        except redis.RedisError as error:
            raise ConnectionError(headline(error)) from None

    @cached_property
    def _client(self) -> redis.Redis:
        import redis

        connection, extra = self._connection, self._connection.extra_dejson
        tls = {
            name: extra[name]
            for name in ("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
            if extra.get(name)
        }
        return redis.Redis(
            host=connection.host or "localhost",
            port=connection.port or 6379,
            db=int(extra.get("db") or 0),
            username=connection.login or None,
            password=connection.password or None,
            ssl=bool(extra.get("ssl")),
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            **tls,
        )


class PostgresRates:
    """The lanes of one account in a row of PostgreSQL's table ``esp_rates``, which is made where it is missing.

    :param connection: an Airflow connection; of its extra, ``sslmode``, ``sslrootcert``, ``sslcert`` and ``sslkey``
        are heeded, as Airflow's own hook does.
    :param account: what tells accounts apart, see `account_key`.
    """

    # What a crash of the server loses is worth less than writing it to disk with each request.
    TABLE = (
        "create unlogged table if not exists esp_rates (account text primary key, lanes text) with (fillfactor = 20)"
    )
    _READ = "select (select lanes from esp_rates where account = %s), extract(epoch from clock_timestamp())::float8"
    _INSERT = "insert into esp_rates (lanes, account) values (%s, %s) on conflict do nothing"
    _UPDATE = "update esp_rates set lanes = %s where account = %s and lanes = %s"

    def __init__(self, connection: Any, account: str) -> None:
        self.title = f"PostgreSQL (connection {connection.conn_id})"
        self._connection = connection
        self._account = account
        self._session: psycopg2.extensions.connection | None = None

    def read(self) -> tuple[bytes | None, float]:
        """Return what is kept, and the server's time; see `RateStore`."""
        with self._cursor() as cursor:
            cursor.execute(self._READ, (self._account,))
            text, now = cursor.fetchone()
            return None if text is None else text.encode(), now

    def swap(self, old: bytes | None, new: bytes) -> bool:
        """Keep the new text in the old one's place; see `RateStore`."""
        with self._cursor() as cursor:
            if old is None:
                cursor.execute(self._INSERT, (new.decode(), self._account))
            else:
                cursor.execute(self._UPDATE, (new.decode(), self._account, old.decode()))
            return bool(cursor.rowcount == 1)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        import psycopg2

        try:
            if self._session is None:
                self._session = self._connect()
            with self._session.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            session, self._session = self._session, None
            if session is not None:
                with suppress(psycopg2.Error):
                    session.close()
            raise ConnectionError(headline(error)) from None

    def _connect(self) -> psycopg2.extensions.connection:
        import psycopg2

        connection, extra = self._connection, self._connection.extra_dejson
        tls = {name: extra[name] for name in ("sslmode", "sslrootcert", "sslcert", "sslkey") if extra.get(name)}
        session = psycopg2.connect(
            host=connection.host or None,
            port=connection.port or None,
            dbname=connection.schema or None,
            user=connection.login or None,
            password=connection.password or None,
            connect_timeout=int(_TIMEOUT),
            options=f"-c statement_timeout={int(_TIMEOUT * 1000)} -c synchronous_commit=off",
            application_name="airflow-provider-esp rates",
            **tls,
        )
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute("select to_regclass('esp_rates')")
            if cursor.fetchone() == (None,):
                # Another process may make it at the same time.
                with suppress(psycopg2.errors.UniqueViolation, psycopg2.errors.DuplicateObject):
                    cursor.execute(self.TABLE)
        return session


class FileRates:
    """The lanes of one account in a file, for the processes of one machine; its clock counts from the machine's start.

    :param folder: made where it is missing; nobody else may enter it.
    :param account: what tells accounts apart, see `account_key`.
    """

    def __init__(self, folder: Path, account: str) -> None:
        self.title = str(folder)
        self._path = folder / account

    def read(self) -> tuple[bytes | None, float]:
        """Return what is kept since this machine started, and how long that is; see `RateStore`."""
        with self._locked(fcntl.LOCK_SH) as number:
            return self._kept(number), time.clock_gettime(time.CLOCK_MONOTONIC)

    def swap(self, old: bytes | None, new: bytes) -> bool:
        """Keep the new text in the old one's place; see `RateStore`."""
        with self._locked(fcntl.LOCK_EX) as number:
            if self._kept(number) != old:
                return False
            text = self._boot + b"\n" + new
            os.ftruncate(number, 0)
            os.pwrite(number, text, 0)
            return True

    def _kept(self, number: int) -> bytes | None:
        boot, _, text = os.pread(number, _MOST_BYTES, 0).partition(b"\n")
        return text if boot == self._boot and text else None

    @cached_property
    def _boot(self) -> bytes:
        with suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
        return b"-"

    @contextmanager
    def _locked(self, how: int) -> Iterator[int]:
        try:
            with suppress(FileExistsError):
                self._path.parent.mkdir(mode=0o700, parents=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            number = os.open(self._path, flags, 0o600)
            try:
                if not stat.S_ISREG(os.fstat(number).st_mode):
                    raise ConnectionError(f"{self._path} is no file")
                _lock(number, how)
                yield number
            finally:
                os.close(number)
        except ConnectionError:
            raise
        except OSError as error:
            raise ConnectionError(headline(error)) from None


def _lock(number: int, how: int) -> None:
    """Lock a file, which its owner holds for microseconds; who holds it longer is stuck."""
    end = time.monotonic() + _TIMEOUT
    while True:
        try:
            return fcntl.flock(number, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise ConnectionError(f"another process has held the lock for {_TIMEOUT:g} s") from None
            time.sleep(0.001)


def account_key(host: str, identity: str) -> str:
    """Return a digest that names an account in a store, whatever its connections are called.

    :param identity: what the account is known by (key, client id).
    """
    return hashlib.blake2b(f"{host}\n{identity}".encode(), digest_size=16, person=b"esp-rates").hexdigest()


_BY_CONN_TYPE: dict[str, tuple[Callable[[Any, str], RateStore], str]] = {
    "redis": (RedisRates, "redis"),
    "postgres": (PostgresRates, "psycopg2"),
}


def open_rates(place: str, account: str, connection: Callable[[], Any], title: str) -> RateStore:
    """Return the store that a connection's extra ``rate_store`` names; nothing is reached yet.

    :param place: the extra.
    :param account: what tells accounts apart, see `account_key`.
    :param connection: fetches the Airflow connection, where the extra names one.
    :param title: the service's, for errors.
    :raises ConnectionInvalid: it names no connection that can keep rates, or what reaches it is not installed.
    """
    if place.startswith("file://"):
        return FileRates(Path(urlsplit(place).path), account)
    try:
        found = connection()
    except AirflowNotFoundException:
        raise ConnectionInvalid(
            title, f"the extra rate_store names the connection {place!r}, which is not there"
        ) from None
    make, package = _BY_CONN_TYPE.get(found.conn_type, (None, ""))
    if make is None:
        raise ConnectionInvalid(
            title,
            f"the extra rate_store names the connection {place!r} of type {found.conn_type}, not of redis or postgres",
        )
    if not find_spec(package):
        raise ConnectionInvalid(
            title,
            f"the extra rate_store needs the package {package}, install airflow-provider-esp[{found.conn_type}]",
        )
    return make(found, account)
