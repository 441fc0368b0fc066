"""How a value is spelled, in one place for rows, single events, variables and lists of people to leave out.

There are two spellings: text, for addresses, ids and fields, and JSON, for the data of messages and events. Both drop
what only a table, a driver or numpy made of a value: a whole float is a whole number, ``NaT`` is blank, a moment with a
zone is written on the account's clock.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from airflow_provider_esp.core.validation.addresses import PhoneRules, email_address, plain_digits, whole_number
from airflow_provider_esp.exceptions import CountryCodeMissing, InvalidValue
from airflow_provider_esp.utils.characters import hidden_character, without_hidden
from airflow_provider_esp.utils.single_floats import narrowed

NO_COUNTRY: Final = PhoneRules()
"""What is taken where nothing is said of phone numbers."""

_EXACT = 2**53
_MOST_BITS = 1024  # a number of 300 digits is nobody's; Python does not even spell one of 5000
_MOST_EXPONENT = 300
_MOST_BIT_BYTES = 8  # of MySQL's BIT
_WHOLE_DAYS = ("[D]", "[W]", "[M]", "[Y]")  # numpy's units of dates without a time
_NO_DATE = re.compile(r"0000-00-00(?:[ T][0:.]*)?").fullmatch
_WHOLE_DECIMAL = re.compile(r"(-?[0-9]+)\.0+").fullmatch
_LINE_BREAKS = re.compile(r"[\t\n\r\v\f]+").sub

Note = Literal["float", "no country", "cleaned"]
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class ValueRules:
    """How the values of a run's rows are read.

    :param phones: how phone numbers are.
    :param zone: the account's, in which moments are written; None to leave them in theirs.
    :param clean_text: whether control and invisible characters are removed; otherwise what may not hold them is
        invalid.
    :ivar notes: how many values there were of which the author should know, by what is to be said of them and column.
    """

    phones: PhoneRules = NO_COUNTRY
    zone: datetime.tzinfo | None = None
    clean_text: bool = False
    notes: Counter[tuple[Note, str]] = field(default_factory=Counter, compare=False)

    def text(self, value: object, column: str) -> str | None:
        """Return a value as text; see `text`."""
        plain = text(value, column, self.zone)
        return self.cleaned(plain, column) or None if plain and self.clean_text else plain

    def spelled(self, value: object, column: str, *, whole: bool = False) -> str | None:
        """Return a value of any type as text, which is not cleaned yet.

        :param whole: whether to note that it is a float without decimals.
        """
        if whole and is_whole_float(value):
            self.notes["float", column] += 1
        return text(value, column, self.zone)

    def json(self, value: object, column: str) -> Any:
        """Return a value as JSON takes it; see `as_json`."""
        return as_json(
            value, column, self.zone, (lambda plain: self.cleaned(plain, column)) if self.clean_text else None
        )

    def email(self, value: object, column: str) -> str | None:
        """Return an e-mail address as it is sent; None for a blank one.

        :raises InvalidValue: it is not one.
        """
        plain = self.text(value, column)
        return plain and email_address(plain)

    def phone(self, value: object, column: str) -> str | None:
        """Return a phone number as it is sent; None for a blank one.

        :raises InvalidValue: it is not one.
        """
        return self._settled(value, self.text(phone_value(value), column), column, self.settled_phone)

    def settled_phone(self, value: str, column: str) -> str:
        """Return a phone number that is text as it is sent, and note what is to be said of it.

        :raises InvalidValue: it is not one.
        """
        try:
            number = self.phones.normalize(value)
        except CountryCodeMissing:
            self.notes["no country", column] += 1
            raise
        if not value.isdigit() and whole_number(plain_digits(value)):
            self.notes["float", column] += 1
        return number

    def id(self, value: object, column: str) -> str | None:
        """Return an id as it is sent; None for a blank one.

        :raises InvalidValue: it holds an invisible character, by which it would be another's.
        """
        return self._settled(value, self.text(value, column), column, self.settled_id)

    def settled_id(self, value: str, column: str) -> str:
        """Return an id that is text as it is sent: ``1001.0`` and ``1001`` are one.

        :raises InvalidValue: it holds an invisible character, by which it would be another's.
        """
        if (hidden := hidden_character(value)) is not None:
            raise InvalidValue(f"column {column!r} holds {hidden}")
        plain = without_zeros(value)
        if plain != value:
            self.notes["float", column] += 1
        return plain

    def _settled(self, value: object, plain: str | None, column: str, settle: Callable[[str, str], str]) -> str | None:
        """Settle the text that a value was spelled as, and note that it was a whole float."""
        if plain is None:
            return None
        if is_whole_float(value):
            self.notes["float", column] += 1
        return settle(plain, column)

    def cleaned(self, value: str, column: str, *, one_line: bool = False) -> str:
        """Return a text without control and invisible characters, and note that it had some.

        :param one_line: whether line breaks and tabs become blanks.
        """
        plain = without_hidden(_LINE_BREAKS(" ", value) if one_line else value).strip()
        if plain != value:
            self.notes["cleaned", column] += 1
        return plain


def text(value: object, column: str, zone: datetime.tzinfo | None = None) -> str | None:
    """Return a value as text: None for a blank one.

    :param zone: in which moments that have a zone are written; None to leave them in theirs.
    :raises InvalidValue: it is a list, a dictionary or another thing that has no plain spelling.
    """
    match value := plain_value(value):
        case str():
            return value.strip() or None
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > _MOST_BITS:
            raise InvalidValue(f"column {column!r} holds a number that is too large")
        case int() | uuid.UUID() | ipaddress.IPv4Address() | ipaddress.IPv6Address():
            return str(value)
        case float() | decimal.Decimal():
            return _number(value, column)
        case datetime.datetime():
            return in_zone(value, zone).isoformat()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return _duration(value)
        case bytes():
            raise InvalidValue(f"column {column!r} holds bytes, which are no text: decode them in the source")
    raise InvalidValue(f"column {column!r} holds a {type(value).__name__}, which is not one value")


def as_json(
    value: object,
    column: str,
    zone: datetime.tzinfo | None = None,
    clean: Callable[[str], str] | None = None,
) -> Any:
    """Return a value as JSON takes it: numbers, booleans, lists and objects stay what they are.

    Whole floats and decimals become whole numbers, and other decimals stay exact (the encoder of requests writes them
    as numbers). None stands for a blank one.

    :param zone: in which moments that have a zone are written; None to leave them in theirs.
    :param clean: applied to each text.
    :raises InvalidValue: JSON cannot hold it.
    """
    if type(value) is str:  # nearly all are
        return _json_text(value, clean)
    value = plain_value(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | decimal.Decimal):
        return _json_number(value, column)
    if isinstance(value, list | tuple | Mapping):
        return _json_container(value, column, zone, clean)
    plain = text(value, column, zone)
    return None if plain is None else _json_text(plain, clean)


def plain_value(value: object) -> object:
    """Return what a value of an enum, of numpy, of pandas or of a driver stands for; any other as it is."""
    kind = type(value)
    if kind in _PLAIN_TYPES:
        return None if isinstance(value, str) and value[:4] == "0000" and is_no_date(value.strip()) else value
    if isinstance(value, enum.Enum):
        return plain_value(value.value)
    if isinstance(value, bytes | bytearray):
        return _bits(bytes(value))
    module = kind.__module__.partition(".")[0]
    if module == "numpy" and hasattr(value, "tolist"):
        return value.tolist() if getattr(value, "shape", ()) else plain_value(_numpy_item(value))
    if module == "pandas":
        return _pandas_item(value)
    return value


def in_zone(moment: datetime.datetime, zone: datetime.tzinfo | None) -> datetime.datetime:
    """Return a moment that has a zone in another; one that has none is taken to be in it already."""
    return moment if zone is None or moment.tzinfo is None else moment.astimezone(zone)


def is_whole_float(value: object) -> bool:
    """Check whether a value is a float without decimals, as whole numbers become in a table with gaps."""
    plain = plain_value(value)
    return isinstance(plain, float) and plain.is_integer()


def phone_value(value: object) -> object:
    """Return a value that may be a phone number.

    :raises InvalidValue: its type says that it is something else.
    """
    plain = plain_value(value)
    if isinstance(plain, bool | datetime.date | datetime.time | datetime.timedelta | uuid.UUID):
        raise InvalidValue(f"the phone number is not valid: it is a {type(plain).__name__}")
    if isinstance(plain, ipaddress.IPv4Address | ipaddress.IPv6Address):
        raise InvalidValue("the phone number is not valid: it is a network address")
    return str(plain) if has_lost_digits(plain) else plain


def has_lost_digits(value: object) -> bool:
    """Check whether a value is a decimal with an exponent, ``Decimal("3.81E+11")``: its last digits are not known."""
    exponent = value.as_tuple().exponent if isinstance(value, decimal.Decimal) else 0
    return isinstance(exponent, int) and exponent > 0 and bool(value)


def without_zeros(value: str) -> str:
    """Return a text without the ``.0`` of a whole number that was once a float."""
    if value[-1:] != "0" or (whole := _WHOLE_DECIMAL(value)) is None:
        return value
    return whole[1]


_PLAIN_TYPES = frozenset(
    {str, int, float, bool, type(None), decimal.Decimal, datetime.datetime, datetime.date, list, dict}
)


def _number(value: float | decimal.Decimal, column: str) -> str | None:
    number = decimal.Decimal(value)
    if number.is_nan():
        return None  # how a table says blank
    if number.is_infinite():
        raise InvalidValue(f"column {column!r} holds an infinite number")
    if abs(number.adjusted()) > _MOST_EXPONENT and isinstance(value, decimal.Decimal):
        raise InvalidValue(f"column {column!r} holds a number that is too large")
    # A table with gaps turns whole numbers (ids, phones) into floats: they are written as what they were.
    if isinstance(value, decimal.Decimal) or (value.is_integer() and abs(value) <= _EXACT):
        return f"{number:f}"
    return f"{value:.15g}"


def _json_number(value: float | decimal.Decimal, column: str) -> Any:
    spelled = text(value, column)  # which also finds out what is no number
    if spelled is None:
        return None
    if isinstance(value, int):
        return int(value)  # the encoder takes no classes on top of it, such as BSON's Int64
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _EXACT else float(value)
    return int(value) if value == value.to_integral_value() else decimal.Decimal(spelled)


def is_no_date(value: str) -> bool:
    """Check whether a text without blanks around it is how MySQL writes that there is no date: ``0000-00-00``."""
    return value[:4] == "0000" and _NO_DATE(value) is not None


def _json_text(value: str, clean: Callable[[str], str] | None) -> str | None:
    plain = value.strip()
    if is_no_date(plain):
        return None
    return (clean(plain) if clean is not None else plain) or None


def _json_container(value: Any, column: str, zone: Any, clean: Callable[[str], str] | None) -> Any:
    def item(one: object) -> Any:
        if isinstance(one, str):  # blank text inside of data is somebody's
            return clean(one) if clean is not None else str(one)
        return as_json(one, column, zone, clean)

    try:
        known: Any = (
            {plain_value(name): item(one) for name, one in value.items()}
            if isinstance(value, Mapping)
            else [item(one) for one in value]
        )
        _encode(known)
    except InvalidValue:
        raise
    except (TypeError, ValueError, RecursionError):
        raise InvalidValue(f"column {column!r} holds a {type(value).__name__} that JSON cannot hold") from None
    return known


def _bits(value: bytes) -> object:
    """Read MySQL's BIT, which some drivers give as bytes; none are blank, and any other bytes stay what they are."""
    if not value:
        return None
    if not 1 <= len(value) <= _MOST_BIT_BYTES:
        return value
    try:
        if value.decode().isprintable():
            return value
    except UnicodeDecodeError:
        pass
    return int.from_bytes(value, "big")


def _numpy_item(value: Any) -> object:
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "M" and value.dtype.str.endswith(_WHOLE_DAYS):
        return value.astype("datetime64[D]").item()
    if kind in "mM":  # of nanoseconds, which is no Python type, numpy makes an integer
        return value.astype(f"{'timedelta64' if kind == 'm' else 'datetime64'}[us]").item()
    if kind == "f" and value.dtype.itemsize == 4:
        return narrowed(value.item())
    item = value.item()
    return float(item) if kind == "f" else item  # of more than double precision, numpy gives its own number again


def _pandas_item(value: Any) -> object:
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    for convert in ("to_pydatetime", "to_pytimedelta"):
        if hasattr(value, convert):
            return getattr(value, convert)() if convert == "to_pytimedelta" else value.to_pydatetime(warn=False)
    return value


def _duration(value: datetime.timedelta) -> str:
    """Write a span of time as hours, minutes and seconds: some databases give a time of day as one."""
    minutes, seconds = divmod(abs(value) // datetime.timedelta(seconds=1), 60)
    sign = "-" if value < datetime.timedelta() else ""
    rest = abs(value).microseconds
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}" + (f".{rest:06}" if rest else "")
