"""Makes `example_dags/data/customers.csv`: 10,000 customers who do not exist, some of them broken on purpose.

    python scripts/make_customers.py example_dags/data/customers.csv

The same file comes out every time. Addresses are at example.com, which nobody can own; numbers are in the range
that the United Kingdom keeps free for drama.
"""

from __future__ import annotations

import csv
import random
import sys
from datetime import date, timedelta
from pathlib import Path

COLUMNS = "customer_id email phone first_name last_name language town tier points last_order".split()
FIRST = "Ada Bela Cora Dana Emil Fedir Gala Hanna Ivan Jana Kira Lev Mira Nadia Olha Petro Rita Sava Taras Vera".split()
LAST = "Bondar Chorna Dovha Fialka Hora Ivanko Kalyna Lisova Moroz Nova Ozerna Polova Riznyk Sonna Topol".split()
TOWNS = "Kyiv Lviv Odesa Dnipro Kharkiv Poltava Uzhhorod Chernihiv".split()
ROWS = 10_000

BROKEN = {
    37: {"email": ""},
    411: {"email": "no-at-sign.example.com"},
    1024: {"email": "two@@example.com"},
    1999: {"email": "dot.@example.com"},
    2500: {"phone": "call me"},
    3210: {"phone": "12"},
    4096: {"email": "spaces in@example.com"},
    5050: {"email": ""},
    6001: {"tier": "platinum"},
    7002: {"points": "many"},
    8003: {"last_order": "last week"},
    9004: {"last_name": "x" * 60},
}
"""Row number to what is wrong with it: the first kinds are caught before sending, the last ones by the service."""

TWINS = {2222: 2221, 4444: 4440, 8889: 8888}
"""Rows that repeat an earlier customer of the same batch."""


def customers() -> list[dict[str, str]]:
    """Make the rows."""
    chance = random.Random(2026)
    rows: list[dict[str, str]] = []
    for number in range(1, ROWS + 1):
        points = chance.randint(0, 10_000)
        row = {
            "customer_id": f"c{number:05d}",
            "email": f"customer{number:05d}@example.com",
            "phone": f"+447700900{number % 1_000:03d}" if chance.random() < 0.8 else "",
            "first_name": chance.choice(FIRST),
            "last_name": chance.choice(LAST),
            "language": "uk" if chance.random() < 0.7 else "en",
            "town": chance.choice(TOWNS),
            "tier": "gold" if points > 9_000 else "silver" if points > 5_000 else "bronze",
            "points": str(points),
            "last_order": (date(2026, 11, 1) - timedelta(days=chance.randint(30, 700))).isoformat(),
        }
        if number in TWINS:
            row["email"] = rows[TWINS[number] - 1]["email"]
        rows.append({**row, **BROKEN.get(number, {})})
    return rows


def main(path: str) -> None:
    """Write the file."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(customers())


if __name__ == "__main__":
    main(sys.argv[1])
