"""How addresses and phone numbers stand in opt-out lists: the table that tests and docs/operators.md go by."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from urllib.parse import quote

Decoration = Callable[[str], str]


def inside(text: str, what: str) -> str:
    """Put something between two characters, away from both ends."""
    middle = len(text) // 2
    return text[:middle] + what + text[middle:]


def full_width(text: str) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)


ANYWHERE: dict[str, Decoration] = {
    "blanks around": "  {}\t".format,
    "no-break space": "\u00a0{}\u202f".format,
    "line break": "\r\n{}\n".format,
    "zero-width space inside": lambda text: inside(text, "\u200b"),
    "byte order mark": "\ufeff{}".format,
    "direction marks": "\u200e\u202a{}\u202c\u200f".format,
    "isolates": "\u2066{}\u2069".format,
    "soft hyphen inside": lambda text: inside(text, "\u00ad"),
    "word joiner inside": lambda text: inside(text, "\u2060"),
    "variation selector": "{}\ufe0f".format,
    "filler": "\u3164{}".format,
    "control characters": "\x00{}\x07".format,
    "full-width": full_width,
    "double quotes": '"{}"'.format,
    "single quotes": "'{}'".format,
    "curly quotes": "\u201c{}\u201d".format,
    "guillemets": "\u00ab{}\u00bb".format,
    "backticks": "`{}`".format,
    "angle brackets": "<{}>".format,
    "square brackets": "[{}]".format,
    "braces": "{{{}}}".format,
    "parentheses": "({})".format,
    "trailing dot": "{}.".format,
    "trailing semicolon": "{};".format,
    "trailing comma": "{},".format,
    "list in a text": "['{}']".format,
    "bullet": "\u2022 {}".format,
    "stars": "**{}**".format,
    "percent-encoded": lambda text: quote(text, safe=""),
    "HTML entities": lambda text: html.escape(text).replace("@", "&#64;").replace("+", "&#x2B;"),
    "JSON escapes": lambda text: text.replace("@", "\\u0040").replace("+", "\\u002b"),
    "comment behind": "{} (unsubscribed by phone)".format,
    "date behind": "{}; 2024-05-01 12:30".format,
    "HTML": "<b>{}</b><br>".format,
}
"""Around addresses and numbers alike."""

ADDRESSES: dict[str, Decoration] = {
    "upper case": str.upper,
    "mailto": "mailto:{}".format,
    "MAILTO": "MAILTO:{}".format,
    "mailto with a subject": "mailto:{}?subject=Stop%20it".format,
    "display name": "Ann Smith <{}>".format,
    "quoted display name": '"Smith, Ann" <{}>'.format,
    "display name with @": '"Ann @ Work" <{}>'.format,
    "handle": "@annsmith <{}>".format,
    "name behind": "{} (Ann)".format,
    "comment inside": lambda text: text.replace("@", "(home)@(her)"),
    "comment close behind": "{}(work)".format,
    "quoted mailbox": lambda text: '"{}"@{}'.format(*text.rsplit("@", 1)) if text.count("@") == 1 else text,
    "full-width @": lambda text: text.replace("@", "\uff20"),
    "ideographic dot": lambda text: text.replace(".", "\u3002"),
    "blanks around @": lambda text: text.replace("@", " @ "),
    "link": '<a href="mailto:{0}">{0}</a>'.format,
    "Markdown link": "[Ann](mailto:{})".format,
    "label": "E-mail: {}".format,
    "SMTP label": "SMTP:{}".format,
    "key and value": "email={}".format,
    "(at)": lambda text: text.replace("@", " (at) "),
    "Cyrillic look-alikes": lambda text: text.replace("a", "\u0430").replace("e", "\u0435"),
    "encoded header": lambda text: f"=?utf-8?B?{base64.b64encode(text.encode()).decode()}?=",
    "delimiter not recognised": "{}^complaint^2024-05-01".format,
    "JSON object": '{{"email": "{}"}}'.format,
}
"""Around addresses."""


def _groups(digits: str, between: str) -> str:
    return between.join([digits[:3], digits[3:5], digits[5:8], digits[8:]])


NUMBERS: dict[str, Decoration] = {
    "plus": "+{}".format,
    "digits": str,
    "00": "00{}".format,
    "US way abroad": "011{}".format,
    "blanks inside": lambda digits: "+" + _groups(digits, " "),
    "brackets": lambda digits: f"+{digits[:3]} ({digits[3:5]}) {digits[5:8]}-{digits[8:10]}-{digits[10:]}",
    "hyphens": lambda digits: "+" + _groups(digits, "-"),
    "en dashes": lambda digits: "+" + _groups(digits, "\u2013"),
    "dots": lambda digits: "+" + _groups(digits, "."),
    "slashes": lambda digits: "+" + _groups(digits, "/"),
    "thousands": lambda digits: f"{int(digits):,}",
    "tel": "tel:+{}".format,
    "tel with an extension": "tel:+{};ext=12".format,
    "sms": "sms:+{}?body=stop".format,
    "label": "Tel.: +{}".format,
    "Cyrillic label": "\u043c\u043e\u0431. +{}".format,
    "name": "Ann Smith +{}".format,
    "link": "https://wa.me/{}".format,
    "float": "{}.0".format,
    "decimal comma": "{},00".format,
    "float in groups": lambda digits: f"{int(digits):,}.0".replace(",", " "),
    "scientific": lambda digits: f"{digits[0]}.{digits[1:]}E+{len(digits) - 1}",
    "scientific, comma": lambda digits: f"{digits[0]},{digits[1:]}e{len(digits) - 1}",
    "apostrophe": "'{}".format,
    "formula": '="{}"'.format,
    "Arabic digits": lambda digits: digits.translate({ord(str(one)): chr(0x660 + one) for one in range(10)}),
    "extension": "+{} ext. 12".format,
}
"""Of the digits of a number with country code."""

NATIONAL: dict[str, Decoration] = {
    "trunk zero": "0{}".format,
    "trunk zero lost": str,
    "old trunk": "80{}".format,
    "national, blanks": lambda digits: f"0{digits[:2]} {digits[2:5]} {digits[5:7]} {digits[7:]}",
    "national, brackets": lambda digits: f"(0{digits[:2]}) {digits[2:5]}-{digits[5:7]}-{digits[7:]}",
    "national, dots": lambda digits: f"0{digits[:2]}.{digits[2:5]}.{digits[5:7]}.{digits[7:]}",
    "national, label": "tel. 0{}".format,
    "national float": "{}.0".format,
}
"""Of the digits of a Ukrainian number without country code."""

SEPARATORS = (", ", ";", " ", "\n", "|", "\t", " / ", " & ", ",\n", "; ")
"""Between several in one cell."""

UNREADABLE = (
    "ann@example", "@example.com", "*@example.com", "ann@", "ann@exam ple.com", "Ann", "12345", "2024-05-01",
    "1 234,50", "3.8E+11", "1234567.5", "s", "yes", "ann@example.com; ben@example", "12345678901234567890",
    "380 971 112 233.5",
)  # fmt: skip
"""Entries that are documented to name nobody, or not all whom they mean."""

BLANK = (
    "",
    " ",
    None,
    "-",
    "--",
    "n/a",
    "N/A",
    "NULL",
    "None",
    "nan",
    "\\N",
    "<NA>",
    "#N/A",
    "0",
    "\u200b",
    "\u00a0",
    ".",
)
"""Entries that say nothing."""
