"""The contacts that the benchmarks upload: as many as wanted, always the same.

There are two files. The plain one has one broken row of each kind. The mixed one is what people keep: national phone
numbers, names in Cyrillic letters, quotation marks, ampersands, blank cells.

Nobody in them exists: the addresses are in example.com and the phone numbers are numbered through.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path

HEADER = tuple(
    "email phone first_name last_name external_id language town region postcode tier points last_order".split()  # noqa: SIM905
)
COLUMNS = {
    **{name: name for name in HEADER[:9]},
    "tier": "LOYALTY.tier",
    "points": "LOYALTY.points",
    "last_order": "LOYALTY.last_order",
}
"""What each column is at the service."""

EVERY = 97
"""Rows between a broken one and the next."""


def good(number: int, chance: random.Random) -> list[str]:
    """Make a row that everybody can take."""
    return [
        f"user{number}@example.com",
        f"+38050{number:07d}",
        chance.choice(("Ann", "Bo", "Cy")),
        "Doe",
        f"c{number}",
        "uk",
        "Kyiv",
        "Kyiv",
        "01001",
        "gold",
        str(chance.randint(0, 9999)),
        "2026-01-02",
    ]


def _broken() -> dict[str, str]:
    """Return a line for each kind of broken row, by the reason that must be told."""
    row = good(0, random.Random(1))

    def line(**changes: str) -> str:
        text = io.StringIO()
        csv.writer(text).writerow({**dict(zip(HEADER, row, strict=True)), **changes}.values())
        return text.getvalue()

    whole = line().rstrip("\r\n")
    return {
        "no e-mail address": line(email=""),
        "an e-mail address without a host": line(email="nobody@"),
        "an e-mail address with two dots in a row": line(email="no..body@example.com"),
        "an e-mail address of two": line(email="no@body@example.com"),
        "an e-mail address that is too long": line(email=f"{'n' * 320}@example.com"),
        "a phone number with letters": line(phone="call me"),
        "a phone number that is too short": line(phone="+3805"),
        "a first name that is too long": line(first_name="A" * 41),
        "a last name with too many digits": line(last_name="Doe 1234"),
        "a cell too many": whole + ",more\r\n",
        "a cell too few": whole.rsplit(",", 1)[0] + "\r\n",
        "something behind a quotation mark": whole.rsplit(",", 1)[0] + ',"2026"-01-02\r\n',
    }


BROKEN = _broken()


def lines(rows: int) -> Iterator[str]:
    """Return the file's lines; the broken ones stand among the first rows, a good one between any two."""
    chance = random.Random(7)
    broken = iter(BROKEN.values())
    for number in range(1, rows + 1):
        bad = next(broken, None) if number % EVERY == 0 else None
        yield bad or ",".join(good(number, chance)) + "\r\n"


def broken_rows(rows: int) -> list[int]:
    """List the numbers of the broken rows in a file of so many."""
    return [EVERY * n for n in range(1, len(BROKEN) + 1) if n * EVERY <= rows]


def write(path: Path, rows: int) -> None:
    """Write the plain file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(",".join(HEADER) + "\r\n")
        file.writelines(lines(rows))


COUNTRY = "UA"
"""Whose national numbers stand in the mixed file."""


def mixed(number: int, chance: random.Random) -> list[str]:
    """Make a row of the mixed file; everybody can take it."""
    digits = f"{number:07d}"
    return [
        f"user{number}@example.com",
        chance.choice((f"050{digits}", f"50{digits}", f"050 {digits[:3]} {digits[3:5]} {digits[5:]}")),
        chance.choice(("Олена", "Дар'я", "Марія-Вероніка", "")),
        chance.choice(("Коваль", "Нечуй-Левицька", "Doe")),
        f"c{number}",
        "uk",
        chance.choice(("Київ, Поділ", "Львів")),
        chance.choice(("Київська", "")),
        "",
        chance.choice(('"Gold" & Co', "silver & more", "bronze")),
        str(chance.randint(0, 9999)),
        "2026-01-02",
    ]


def write_mixed(path: Path, rows: int) -> None:
    """Write the mixed file."""
    chance = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(mixed(number, chance) for number in range(1, rows + 1))
