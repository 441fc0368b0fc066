"""What a sync remembers: entries, their files, generations and the pointer; whatever is wrong with them is refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.sync import files
from airflow_provider_esp.core.sync.entries import (
    NOTHING,
    Entry,
    Flag,
    flags_of,
    is_settled,
    key_of,
    pack,
    unpack,
)
from airflow_provider_esp.core.sync.errors import SyncStateUnusable
from airflow_provider_esp.core.sync.files import StateFile
from airflow_provider_esp.core.sync.generations import Facts, Pointer, StateFolder
from airflow_provider_esp.core.sync.journal import Journal
from airflow_provider_esp.core.sync.keys import DIGEST_BYTES, StateKey
from airflow_provider_esp.core.sync.sorting import RecordSorter, split
from airflow_provider_esp.utils.local_paths import LocalPath
from tests.unit.sync_world import KEY, MemoryFolder, Steps, World, people

OTHER_KEY = StateKey("another secret of the tests, long enough")
_DIGESTS = st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES)
ENTRIES = st.builds(
    Entry,
    key=_DIGESTS,
    accepted=_DIGESTS | st.just(NOTHING),
    flags=st.integers(0, 31),
    tries=st.integers(0, 255),
    tried=_DIGESTS | st.just(b""),
    marks=st.binary(max_size=20),
    handle=st.binary(max_size=60),
)


def written(entries: list[bytes], key: StateKey = KEY) -> bytes:
    file = io.BytesIO()
    files.write(file, key, 3, entries, {"held": 7})
    return file.getvalue()


def read(content: bytes, key: StateKey = KEY) -> list[bytes]:
    return list(StateFile(io.BytesIO(content), key, "it").entries())


# -- entries


@given(ENTRIES)
def test_an_entry_comes_back_as_it_went(entry: Entry) -> None:
    raw = pack(entry)
    assert unpack(raw) == entry
    assert (key_of(raw), flags_of(raw)) == (entry.key, entry.flags)
    assert is_settled(raw, entry.accepted) == (entry.flags == Flag.HELD)
    assert not is_settled(raw, b"another row.")


def test_more_tries_than_a_byte_holds_are_kept_as_the_most() -> None:
    assert unpack(pack(Entry(b"k" * DIGEST_BYTES, tries=300))).tries == 255


# -- the key


def test_what_is_sealed_is_the_same_each_time_and_only_its_key_opens_it() -> None:
    sealed = KEY.seal("email:ann@example.com")
    assert sealed == KEY.seal("email:ann@example.com") != KEY.seal("email:ben@example.com")
    assert KEY.open(sealed) == "email:ann@example.com"
    with pytest.raises(ValueError, match="another key"):
        OTHER_KEY.open(sealed)
    assert b"ann" not in sealed


def test_digests_need_the_key() -> None:
    assert KEY.digest(b"7") == KEY.digest(b"7") != OTHER_KEY.digest(b"7")
    assert KEY.id != OTHER_KEY.id
    assert len(KEY.mark(b"7")) == 1


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 characters long, not 5"):
        StateKey("short")
    assert StateKey(StateKey.fresh()).id != StateKey(StateKey.fresh()).id


# -- sorting


@given(st.lists(st.binary(max_size=40)), st.integers(50, 2000))
def test_records_come_out_in_order_and_again(records: list[bytes], run_bytes: int) -> None:
    with RecordSorter(run_bytes) as sorter:
        for record in records:
            sorter.add(record)
        assert list(sorter) == sorted(records)
        sorter.add(b"one more")
        assert list(sorter) == sorted([*records, b"one more"])
        assert len(sorter) == len(records) + 1


def test_more_runs_than_can_be_open_are_merged() -> None:
    with RecordSorter(run_bytes=100) as sorter:
        records = [number.to_bytes(4) for number in range(500, 0, -1)]
        for record in records:
            sorter.add(record)
        assert list(sorter) == sorted(records)


@given(st.lists(st.binary(max_size=30)), st.integers(1, 50))
def test_blocks_may_be_cut_anywhere(records: list[bytes], size: int) -> None:
    whole = b"".join(len(record).to_bytes(2) + record for record in records)
    assert list(split([whole[at : at + size] for at in range(0, len(whole), size)])) == records


# -- files


@given(st.lists(ENTRIES, max_size=30))
def test_a_file_gives_back_what_was_written(entries: list[Entry]) -> None:
    packed = sorted(map(pack, entries))
    state = StateFile(io.BytesIO(written(packed)), KEY, "it")
    assert list(state.entries()) == packed
    assert state.facts == {"held": 7}
    assert (state.header.generation, state.header.key_id, state.header.version) == (3, KEY.id, files.VERSION)


def test_a_large_file_has_many_blocks() -> None:
    packed = sorted(pack(Entry(KEY.digest(b"%d" % number), handle=b"h" * 40)) for number in range(20_000))
    content = written(packed)
    assert content.count(b"D", 0) > 1
    assert read(content) == packed


@settings(max_examples=200)
@given(st.data())
def test_any_other_byte_and_any_cut_is_noticed(data: st.DataObject) -> None:
    content = bytearray(written(sorted(pack(Entry(KEY.digest(b"%d" % at), handle=b"abc")) for at in range(5))))
    at = data.draw(st.integers(0, len(content) - 1))
    cut = data.draw(st.booleans())
    if cut:
        del content[at:]
    else:
        content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SyncStateUnusable, match="The sync's state it"):
        read(bytes(content))


def test_parts_cannot_change_places() -> None:
    one, other = written([pack(Entry(b"a" * 12))]), written([pack(Entry(b"b" * 12))])
    begin = one.index(b"D\0")
    with pytest.raises(SyncStateUnusable, match="content is not what was written"):
        read(one[:begin] + other[begin : other.rindex(b"T\0")] + one[one.rindex(b"T\0") :])


def test_another_key_is_refused_with_both_ids_and_the_ways_out() -> None:
    with pytest.raises(SyncStateUnusable, match=f"id {KEY.id}, and this one is {OTHER_KEY.id}") as refused:
        read(written([]), OTHER_KEY)
    for way in ('reset="newest"', 'reset="take_as_sent"', 'reset="send_all"', "Nothing was sent"):
        assert way in str(refused.value)


def test_a_newer_format_is_refused() -> None:
    header = msgspec.json.encode({"version": 2, "key_id": KEY.id, "generation": 1})
    content = b"esp-sync-state\nH" + len(header).to_bytes(4) + header + bytes(16)
    with pytest.raises(SyncStateUnusable, match=r"newer version of this package \(format 2"):
        read(content)


def test_no_address_is_in_a_file() -> None:
    world = World()
    world.sync(people(1, 2, 3))
    for path, content in world.files.items():
        assert b"example.com" not in content, path
        assert b"Ann" not in content, path


# -- generations


def folder_in_memory() -> tuple[StateFolder, dict[str, bytes]]:
    kept: dict[str, bytes] = {}
    return StateFolder(MemoryFolder(kept, Steps()), KEY), kept


def generation(state: StateFolder, number: int, *names: bytes) -> Pointer:
    facts = Facts(run="r", held=len(names))
    name = state.write(number, sorted(pack(Entry(KEY.digest(name), flags=Flag.HELD)) for name in names), facts)
    return Pointer(generation=number, file=name, facts=facts)


def test_there_is_no_state_before_the_first_run() -> None:
    state, _ = folder_in_memory()
    assert state.pointer() is None


def test_a_generation_counts_once_the_pointer_names_it() -> None:
    state, _ = folder_in_memory()
    first = generation(state, 1, b"ann")
    state.point(first)
    generation(state, 2, b"ann", b"ben")  # killed before the pointer
    found = state.pointer()
    assert found == first
    assert [key_of(raw) for raw in state.read(first)] == [KEY.digest(b"ann")]


def test_a_lost_pointer_is_refused_and_the_newest_whole_generation_is_found() -> None:
    state, kept = folder_in_memory()
    first, second, third = (generation(state, number, b"ann") for number in (1, 2, 3))
    with pytest.raises(SyncStateUnusable, match=r"holds generations of a sync's state and no current\.json"):
        state.pointer()
    path = f"memory:/generations/{third.file}"
    kept[path] = kept[path][:-1]
    found = state.newest()
    assert found is not None
    assert (found.generation, found.file, found.facts.held) == (2, second.file, 1)
    for one in (first, second):
        del kept[f"memory:/generations/{one.file}"]
    assert state.newest() is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1}', b"[]", b"\xff"])
def test_a_damaged_pointer_is_refused(content: bytes) -> None:
    state, kept = folder_in_memory()
    kept["memory:/current.json"] = content
    with pytest.raises(SyncStateUnusable, match=r"current\.json is damaged"):
        state.pointer()


def test_a_newer_pointer_is_refused() -> None:
    state, kept = folder_in_memory()
    kept["memory:/current.json"] = b'{"version": 2, "somewhere": "else"}'
    with pytest.raises(SyncStateUnusable, match="newer version"):
        state.pointer()


def test_a_generation_that_is_gone_is_refused() -> None:
    state, kept = folder_in_memory()
    pointer = generation(state, 1, b"ann")
    kept.clear()
    with pytest.raises(SyncStateUnusable, match="is gone"):
        list(state.read(pointer))


def test_old_generations_and_journals_go() -> None:
    state, kept = folder_in_memory()
    pointers = [generation(state, number, b"ann") for number in range(1, 6)]
    state.append(4, 1, [Entry(KEY.digest(b"ben"))])
    state.append(5, 1, [Entry(KEY.digest(b"ben"))])
    state.prune(2, pointers[-1])
    assert state.generations() == [pointers[-2].file, pointers[-1].file]
    assert [path for path in kept if "journal" in path] == [f"memory:/journal/00000005/{state.journal(5)[0]}"]


def test_a_state_on_a_disk_is_private_and_whole(tmp_path: Path) -> None:
    state = StateFolder(LocalPath(tmp_path / "state"), KEY)
    pointer = generation(state, 1, b"ann")
    state.point(pointer)
    state.append(1, 1, [Entry(KEY.digest(b"ben"), flags=Flag.HELD)])
    assert state.pointer() == pointer
    with Journal(state, pointer) as journal:
        journal.load()
        known = sorted([KEY.digest(b"ann"), KEY.digest(b"ben")])
        assert [key_of(raw) for raw in journal.entries()] == known
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()} == {0o600}
    state.prune(1, msgspec.structs.replace(pointer, generation=2))
    assert not list((tmp_path / "state" / "journal").iterdir())


# -- the journal


@given(
    st.dictionaries(st.integers(0, 9), st.integers(1, 8)),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 8)), max_size=30),
)
def test_what_was_written_last_is_what_is_known(before: dict[int, int], later: list[tuple[int, int]]) -> None:
    def entry(number: int, flags: int) -> Entry:
        return Entry(KEY.digest(b"%d" % number), flags=flags)

    state, _ = folder_in_memory()
    facts = Facts()
    name = state.write(1, sorted(pack(entry(*pair)) for pair in before.items()), facts)
    pointer = Pointer(generation=1, file=name, facts=facts)
    expected = {key: flags for key, flags in {**before, **dict(later)}.items() if flags}

    def known(journal: Journal) -> Iterator[bytes]:
        return journal.entries()

    with Journal(state, pointer, run_bytes=200) as journal:
        for pair in later:
            journal.append([entry(*pair)])
        assert list(known(journal)) == sorted(pack(entry(*pair)) for pair in expected.items())
    with Journal(state, pointer, run_bytes=200).load() as again:
        assert list(known(again)) == sorted(pack(entry(*pair)) for pair in expected.items())
        again.forget(KEY.digest(b"3"))
        assert KEY.digest(b"3") not in map(key_of, known(again))
