r"""Take addresses, phone numbers and this process's own secrets out of what a service says, before anybody can read it.

Services quote what they were sent, and not always as it was sent: percent-encoded, in full-width letters, escaped for
JSON or HTML, with an invisible character inside. So a text is looked at as it stands and as it reads once decoded.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

LONGEST_LOOK = 2000
"""Characters that `redact` looks at. Who shortens a text before keeps more: half a secret would not be known as one."""

_LONGEST_QUOTE = 300
_SHORTEST_SECRET = 6  # a shorter one would be found in ordinary words, and protects nothing
_MOST_SECRETS = 100
_DECODINGS = 3

_AT = r"(?:@|\ufe6b|\uff20)"
# What stands before the sign may be quoted and then hold blanks; of what is around an address rather too much goes.
_ADDRESS = re.compile(rf"(?:\"[^\"]{{1,100}}\"|'[^']{{1,100}}'(?={_AT})|[^\s'\"<>]+){_AT}[^\s'\"<>(),;\[\]{{}}]+")
_HAS_AT = re.compile(_AT).search
_NUMBER = re.compile(r"[+\uff0b]?\d[\d\s().\u2010-\u2015-]{5,}\d")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_BYTES = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
_PLAIN_CODE = re.compile(r"(?!\d{11})[\w.:-]{1,64}", re.ASCII).fullmatch  # phone numbers with their country are longer


def redact(text: str) -> str:
    """Shorten a service's own words and take addresses, phone numbers and known secrets out of them.

    >>> redact("'ann@example.com' is not valid email")
    "'[address]' is not valid email"

    :returns: one line of at most 300 characters.
    """
    words = " ".join(text[:LONGEST_LOOK].split())
    if len(text) > LONGEST_LOOK:
        # Whole pages come here as well, and the patterns are slow on them. A word cut in two could be an address or a
        # secret.
        words = words.rpartition(" ")[0] or f"{len(text)} characters without a blank"
    cleaned = _without_people(_secrets.hide(words))
    decoded = _decoded(words)
    if decoded != words:
        also = _without_people(_secrets.hide(decoded))
        if also != decoded:
            cleaned = also
    return cleaned if len(cleaned) <= _LONGEST_QUOTE else cleaned[: _LONGEST_QUOTE - 1] + "…"


def redact_code(code: str) -> str:
    """Take the same out of a service's own code or id, whose digits stay where they can be nobody's phone number.

    >>> redact_code("2020202020")
    '2020202020'
    """
    return code if _PLAIN_CODE(code) and _secrets.hide(code) == code else redact(code)


def shown_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Sort counts by a service's own words and take out of the words what nobody may read, so that they can be shown.

    >>> shown_counts({"SENT": 2, "ann@example.com": 1, "bob@example.com": 1})
    {'SENT': 2, '[address]': 2}
    """
    found: dict[str, int] = {}
    for word in sorted(counts):
        shown = redact_code(word)
        found[shown] = found.get(shown, 0) + counts[word]
    return found


def hide_secrets(*secrets: str) -> None:
    """Have `redact` take these secrets out of every text from now on, however they are encoded."""
    _secrets.add(secrets)


def _without_people(text: str) -> str:
    text = _ADDRESS.sub(_hidden_address, text) if _HAS_AT(text) else text
    return _NUMBER.sub("[number]", text)


def _hidden_address(match: re.Match[str]) -> str:
    quoted = match[0][:1] in "'\"" and match[0].count(match[0][0]) == 1
    return f"{match[0][0]}[address]" if quoted else "[address]"


def _decoded(text: str) -> str:
    """Decode what hides a character: percent-encoding, HTML and JSON escapes, wide letters, invisible characters."""
    for _ in range(_DECODINGS):
        before = text
        text = text.replace("\\\\", "\\")
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), html.unescape(unquote(text)))
        text = _BYTES.sub(_as_text, text)
        text = unicodedata.normalize("NFKC", text)
        if text == before:
            break
    return "".join(character for character in text if unicodedata.category(character) not in ("Cf", "Cs"))


def _as_text(match: re.Match[str]) -> str:
    """Decode bytes as Python shows them, which is how the HTTP libraries quote what they cannot read."""
    return bytes.fromhex(match[0].replace("\\x", "")).decode("utf-8", "replace")


class _Secrets:
    """Secrets of the accounts that this process works for; the oldest go when there are too many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, str]] = {}  # each secret's forms, by how they read when case does not count

    def add(self, secrets: Iterable[str]) -> None:
        """Remember secrets."""
        new = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET and secret not in self._known]
        if not new:
            return
        with self._lock:
            known = self._known | {secret: {_folded(form): form for form in _forms(secret)} for secret in new}
            self._known = dict(list(known.items())[-_MOST_SECRETS:])

    def hide(self, text: str) -> str:
        """Take known secrets out of a text."""
        folded = _folded(text)
        forms = {form for known in self._known.values() for look, form in known.items() if look in folded}
        if not forms:
            return text
        # A pattern of all that are known takes long to compile, and would with each new token. The longest come first:
        # one secret may be a part of another.
        longest_first = sorted(forms, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, longest_first)), "[secret]", text, flags=re.IGNORECASE)


def _folded(text: str) -> str:
    """Return a text so that two which differ in case alone are the same, as `re.IGNORECASE` sees it or more widely."""
    return text.casefold().replace("\u0131", "i").replace("\u0307", "")


def _forms(secret: str) -> Iterator[str]:
    """Return a secret in every way in which a service may quote it."""
    yield secret
    raw = secret.encode()
    for encoded in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        yield encoded.decode()
        yield encoded.decode().rstrip("=")
        yield quote(encoded, safe="")
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield html.escape(secret)
    yield json.dumps(secret)[1:-1]
    yield repr(raw)[2:-1]


_secrets = _Secrets()
