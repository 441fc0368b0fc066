"""The file of a ledger, where others may write beside it."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from airflow_provider_esp.stores.ledgers import FileLedger

Refused = Callable[[str, str, str], None]


def test_a_link_planted_where_a_ledger_is_written_is_not_followed(tmp_path: Path, refused: Refused) -> None:
    target = tmp_path / "somebody's file"
    target.write_text("theirs")
    folder = tmp_path / "ledgers"
    folder.mkdir()
    (folder / "ledger.json").symlink_to(target)
    (folder / "ledger.json.new").symlink_to(target)  # a name that could be foreseen
    ledger = FileLedger(str(folder / "ledger.json"))
    ledger.save({"rows": 7})
    assert target.read_text() == "theirs"
    assert ledger.load() == {"rows": 7}
    assert not (folder / "ledger.json").is_symlink()
    assert stat.S_IMODE((folder / "ledger.json").stat().st_mode) == 0o600
    assert {file.name for file in folder.iterdir()} == {"ledger.json", "ledger.json.new"}
    refused("link that is planted", "in the place of a ledger", "replaced, not followed")
