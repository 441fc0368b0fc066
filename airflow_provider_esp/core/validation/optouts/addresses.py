"""The e-mail addresses that a text can mean, with whatever stands around and inside them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from airflow_provider_esp.core.validation.addresses import email_address
from airflow_provider_esp.core.validation.optouts.text import look_alikes_replaced
from airflow_provider_esp.exceptions import InvalidValue

_LONGEST_LOCAL: Final = 320
_STOPS: Final = frozenset(' \t\r\n@<>()[],;:"\\')
"""Characters that end the name of a mailbox; blanks of other kinds have become spaces."""
_DOMAIN: Final = re.compile(r"(?:[^\W_][\w-]{0,62}\.)+(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,63})", re.IGNORECASE)
_LEADING: Final = re.compile(r"\A\W+")
_DOTS: Final = re.compile(r"\.{2,}")
_CUTS: Final = frozenset("|=/?&#!*{}~^$")
"""Characters that may be part of a mailbox's name, and are more often what stands in front of one."""
_COMMENT: Final = re.compile(r"\([^()]*\)")
_DISPLAY_NAME: Final = re.compile(r'"[^"]*"\s*(?=<)')
_AROUND_AT: Final = re.compile(r"\s*@[\s@]*")
_AROUND_DOT: Final = re.compile(r"(?<=@)[\w.-]+(?:\s*\.\s*[\w-]+)+")
_APART: Final = re.compile(r"@[\w.-]*(?:\s\.|\.\s)")
_SPACES: Final = re.compile(r"\s+")
_QUERY: Final = re.compile(r"mailto:[^\s?<>\"']*\?[^\s<>\"']*", re.IGNORECASE)
_LEADING_AT: Final = frozenset(" \t\r\n<>()[],;:|\"'")


@dataclass(slots=True)
class Addresses:
    """What was found in a text.

    :ivar people: for each address the spellings that rows may have of it, in lower case.
    :ivar complete: whether every @ belongs to one of them.
    :ivar rest: the text without them.
    """

    people: list[set[str]] = field(default_factory=list)
    complete: bool = True
    rest: str = ""


def addresses_in(text: str) -> Addresses:
    """Find the addresses that a text can mean.

    :param text: cleaned, see `optout_text`.
    """
    if "@" not in text:
        return Addresses(rest=text)
    whole = _scan(text)
    if not _is_decorated(text, complete=whole.complete):
        return whole
    for variant in _variants(text):
        other = _scan(variant)
        whole.people += [names for names in other.people if names not in whole.people]
        if other.complete and not whole.complete:
            whole.complete, whole.rest = True, other.rest
    return whole


def _is_decorated(text: str, *, complete: bool) -> bool:
    return not complete or any(one in text for one in '()"\\') or _APART.search(text) is not None


def _variants(text: str) -> list[str]:
    """Return a text without comments, names and quotes, and with what stands apart joined, one after the other."""
    variants = []
    for _ in range(5):
        text, times = _COMMENT.subn("", text)
        if not times:
            break
    variants.append(text)
    variants.append(_DISPLAY_NAME.sub("", variants[-1]))
    variants.append(variants[-1].replace('"', "").replace("\\", ""))
    variants.append(_AROUND_AT.sub("@", variants[-1]))
    variants.append(_AROUND_DOT.sub(lambda match: _SPACES.sub("", match.group()), variants[-1]))
    return list(dict.fromkeys(variants))


def _scan(text: str) -> Addresses:
    """Find addresses around each @ of a text."""
    found, kept, behind = Addresses(), [], 0
    for at, character in enumerate(text):
        if character != "@":
            continue
        begin = _begin(text, at, behind)
        domain = _DOMAIN.match(text, at + 1)
        names = _names(text[begin:at], domain.group(), text[domain.end() :][:1]) if domain is not None else frozenset()
        if domain is not None and names:
            found.people.append(set(names))
            begin = max((cut + 1 for cut in range(begin, at) if text[cut] in _CUTS and cut + 1 < at), default=begin)
            kept.append(text[behind:begin])
            behind = domain.end()
        elif not _is_handle(text, at, begin):
            found.complete = False
    kept.append(text[behind:])
    found.rest = _without_queries(text, " ; ".join(kept))
    return found


def _is_handle(text: str, at: int, begin: int) -> bool:
    """Check whether an @ begins the name of somebody elsewhere, as in ``@ann``, and no domain.

    :param begin: where the mailbox in front of it begins.
    """
    if begin != at or (at > 0 and text[at - 1] not in _LEADING_AT) or not text[at + 1 : at + 2].isalnum():
        return False
    domain = _DOMAIN.match(text, at + 1)
    return domain is None or text[domain.end() :][:1] == "@"


def _without_queries(text: str, rest: str) -> str:
    """Take the queries of mailto links out of what is left of a text: numbers in them are nobody's."""
    return re.sub(r"\?[^\s<>\"']*", " ", rest) if _QUERY.search(text) else rest


def _begin(text: str, at: int, behind: int) -> int:
    """Return where the mailbox in front of an @ begins."""
    begin, end = at, max(behind, at - _LONGEST_LOCAL)
    while begin > end and text[begin - 1] not in _STOPS and not text[begin - 1].isspace():
        begin -= 1
    return begin


@lru_cache(maxsize=1024)
def _names(local: str, domain: str, following: str) -> frozenset[str]:
    """Return the spellings that rows may have of an address; none where it is no address.

    :param local: what stands in front of the @.
    :param following: the character behind the domain.
    """
    if local.endswith(("*", "%")) or not any(map(str.isalnum, local)):
        return frozenset()  # it stands for several
    mailboxes = {local, *(local[at + 1 :] for at, character in enumerate(local) if character in _CUTS)}
    if following in ("'", "`") and following in local:
        mailboxes.add(local.removeprefix(following) if local[0] == following else local.rpartition(following)[2])
    mailboxes |= {_LEADING.sub("", one) for one in mailboxes}
    mailboxes |= {_DOTS.sub(".", one).rstrip(".") for one in mailboxes}
    spellings = {f"{one}@{domain}" for one in mailboxes if one}
    spellings |= {alike for one in spellings if (alike := look_alikes_replaced(one)).isascii()}
    names = {known.lower() for one in spellings if (known := _known(one)) is not None}
    if not names and not local.isascii() and _is_international(f"{local}@{domain}"):
        return frozenset((f"{local}@{domain}".lower(),))  # no service takes it, so nobody is written to under it
    return frozenset(names)


def _known(address: str) -> str | None:
    try:
        return email_address(address)
    except InvalidValue:
        return None


def _is_international(address: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(address, allow_smtputf8=True, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True
