"""The words that mean nothing, by themselves: DAG files name them, so nothing else is imported here."""

from __future__ import annotations

from typing import Final

NULL_VALUES: Final = (
    r"\N", "<NA>", "<null>", "[NULL]", "(null)", "NaN", "nan", "-nan", "NaT",
    "#N/A", "#N/A N/A", "#NULL!", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "1.#QNAN", "1.#IND", "-1.#IND",
)  # fmt: skip
"""Read as blank unless the author says otherwise: databases and spreadsheets write them, nobody is called so."""

SUSPECTS: Final = frozenset({"NULL", "null", "None", "undefined", "N/A", "n/a", *NULL_VALUES})
"""Words that are counted in a warning where they are not named."""


def check_null_values(words: object) -> tuple[str, ...]:
    """Return the words that an author names for ``null_values``; None stands for the usual ones.

    :raises ValueError: they are not texts in a list, a tuple or a set.
    """
    if words is None:
        return NULL_VALUES
    if not isinstance(words, list | tuple | set | frozenset) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"null_values must be a list of texts, e.g. [*NULL_VALUES, 'NULL'], not {words!r}.")
    return tuple(words)
