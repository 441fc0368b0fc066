"""Texts of opt-out lists without what other programs have put into and around them.

Lists of opt-outs come out of mail programs, spreadsheets and web pages. What such a program adds (marks that nobody
sees, full-width characters, percent signs, HTML) is taken away here; what is ambiguous comes back in several readings.
"""

from __future__ import annotations

import html
import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from functools import cache
from typing import Final
from urllib.parse import unquote

BLANK_WORDS: Final = frozenset(
    ("n/a", "na", "#n/a", "<na>", "null", "none", "nil", "nan", "nat", "undefined", "unknown", "empty", "\\n", "(null)")
)
"""Words that stand for nothing, in lower case. In a list of opt-outs they are nobody's address and nobody's id."""

_LONGEST_DECODED = 20_000  # a longer cell is a file inside a file
_ROUNDS = 3  # of decoding: a link inside a link of a web page

_SEPARATORS: Final = dict.fromkeys(map(ord, "\u0085\u2028\u2029\u000b\u000c\u001c\u001d\u001e\u001f"), "\n")
_UNSEEN_LETTERS: Final = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc"
"""Characters that nobody sees although their category is a visible one."""
_ALIKE: Final = str.maketrans(
    {
        **dict.fromkeys("\u3002\uff61\u06d4\u0701", "."),
        **dict.fromkeys("\u3001\u060c\uff64", ","),
        **dict.fromkeys("\u061b\u037e", ";"),
        **dict.fromkeys("\u2022\u2023\u25aa\u25cf\u25e6\u00b7\u2043", " "),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u2032\u00b4", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63", "-"),
        **dict.fromkeys("\u2329\u3008\u27e8\u2770\u276e", "<"),
        **dict.fromkeys("\u232a\u3009\u27e9\u2771\u276f", ">"),
        **dict.fromkeys("\u2044\u2215\u29f8", "/"),
    }
)
_LOOK_ALIKE: Final = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u04cf"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u03bf\u03b1\u03bd\u03c1\u039f\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u03a1\u03a4\u03a5\u03a7",
    "aeopcxyijshdqwlABEKMHOPCTYXIJSoavpOABEZHIKMNPTYX",
)
_PERCENT: Final = re.compile("%[0-9A-Fa-f]{2}")
_HTML: Final = re.compile(r"&(?:#\d+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]+);")
_ESCAPED: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_BRACKET: Final = r"\s{0,3}[\[({<]\s?%s\s?[\])}>]\s{0,3}"
_BRACKETED_AT: Final = re.compile(rf"(?<=[\w.+-]){_BRACKET % 'at'}(?=[\w-])", re.IGNORECASE)
_BRACKETED_DOT: Final = re.compile(rf"(?<=[\w-]){_BRACKET % '(?:dot|[.])'}(?=[\w-])", re.IGNORECASE)
_SPELLED: Final = re.compile(r"(?<=[\w.+-])\s+at\s+([\w-]+(?:\s+dot\s+[\w-]+)+)", re.IGNORECASE)
_SPELLED_DOT: Final = re.compile(r"\s+dot\s+", re.IGNORECASE)


def readings(text: str) -> list[str]:
    """Return what a text can be read as: the first is the text itself, cleaned; others are decodings of it.

    :param text: a cell, or an entry of a list.
    """
    found = {clean(text): None}
    if not text.isascii() and (bare := without_raised(text)) != text:
        found[clean(bare)] = None  # "ann¹" may be Ann with a footnote
    if len(text) > _LONGEST_DECODED:
        return list(found)
    fresh = list(found)
    for _ in range(_ROUNDS):
        fresh = [decoded for one in fresh for decoded in _decodings(one) if decoded not in found]
        if not fresh:
            break
        found.update(dict.fromkeys(fresh))
    return list(found)


def clean(text: str) -> str:
    """Return a text without invisible characters, and with plain ones for full-width and typographic ones.

    Spaces and line breaks of any kind stay as such; other control characters are removed.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    text = _unseen().sub("", text.translate(_SEPARATORS))
    return unicodedata.normalize("NFKC", text).translate(_ALIKE).strip()


def look_alikes_replaced(text: str) -> str:
    """Return a text with Latin letters in the place of Cyrillic and Greek ones that look the same."""
    return text.translate(_LOOK_ALIKE)


def ascii_digits(text: str) -> str:
    """Return a text with 0 to 9 in the place of other scripts' digits."""
    return text if text.isascii() else "".join(str(unicodedata.decimal(one, one)) for one in text)


def without_raised(text: str) -> str:
    """Return a text without superscript and subscript characters."""
    return "".join(one for one in text if not unicodedata.decomposition(one).startswith(("<super>", "<sub>")))


def is_blank(text: str) -> bool:
    """Check whether a cleaned text says nothing: no letter or digit, a word for nothing, or zeros alone."""
    lowered = text.lower()
    if lowered in BLANK_WORDS:
        return True
    return "@" not in text and not any(one.isalnum() and one != "0" for one in text)


def _decodings(text: str) -> list[str]:
    """Return what one step of decoding makes of a text, where it makes anything."""
    decoded = []
    if _PERCENT.search(text):
        decoded.append(unquote(text, errors="replace"))
    if _HTML.search(text):
        decoded.append(html.unescape(text))
    if _ESCAPED.search(text):
        decoded.append(_ESCAPED.sub(lambda match: chr(int(match[1] or match[2], 16)), text))
    if "=?" in text and "?=" in text:
        decoded.append(_header(text))
    spelled = _BRACKETED_AT.sub("@", text)
    spelled = _BRACKETED_DOT.sub(".", spelled) if spelled != text else spelled
    decoded.append(_SPELLED.sub(lambda match: f"@{_SPELLED_DOT.sub('.', match[1])}", spelled))
    return [clean(one) for one in decoded if one != text]


def _header(text: str) -> str:
    """Decode a header of a mail (RFC 2047)."""
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


@cache
def _unseen() -> re.Pattern[str]:
    """Make the pattern of characters that nobody sees: marks of direction and of format, most control characters."""
    found = [
        character
        for character in map(chr, range(0x20000))
        if (category := unicodedata.category(character)) == "Cf" or (category == "Cc" and character not in "\t\n\r")
    ]
    selectors = "\u180b-\u180f\ufe00-\ufe0f\U000e0000-\U000e0fff"
    return re.compile(f"[{''.join(map(re.escape, found))}{selectors}{_UNSEEN_LETTERS}]")
