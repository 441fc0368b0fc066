"""What is kept under a send key: files of sorted digests, who sends, and how a task waits for another."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.ledger import SendRecord
from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.send import sorted_digests
from airflow_provider_esp.core.send.key_folder import KeyFolder, Owner, SentName
from airflow_provider_esp.core.send.send_key import REACHED_BEFORE, ReachedBefore, SendKey
from airflow_provider_esp.core.send.sorted_digests import Opened, SortedDigests, digest_of
from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.core.tries import this_process
from airflow_provider_esp.core.validation.suppression import Suppression
from airflow_provider_esp.exceptions import LedgerUnreadable, SendKeyTaken, StorageUnwritable, TaskStopped
from airflow_provider_esp.utils.local_paths import LocalPath

DAY = timedelta(days=1)
HELD: list[SendKey] = []


def opened(digests: list[bytes]) -> Opened:
    return lambda stack: [sorted(digests)]


def folder(path: Path, key: str = "spring", patience: Patience | None = None) -> KeyFolder:
    return KeyFolder(LocalPath(path), key, patience or Patience(0))


def hold(
    path: Path, task: str = "a", *, key: str = "spring", keep: timedelta = DAY, stop: Stop | None = None
) -> SendKey:
    digest = task.encode().hex().ljust(16, "0")
    HELD.append(SendKey(folder(path, key), key, f"task {task!r}", digest, keep, wait=0, stop=stop or Stop()))
    return HELD[-1]


@pytest.fixture(autouse=True)
def end() -> Iterator[None]:
    """Close what a process would close by its end."""
    yield
    while HELD:
        HELD.pop().close()


def send(
    held: SendKey, *people: str, record: SendRecord | None = None, not_reached: tuple[str, ...] = ()
) -> SendRecord:
    """Send to some people in one block, as a whole send."""
    record = record or SendRecord(send="ab12")
    held.take(record)
    held.begin(record)
    record.claim = held.claim(people)
    held.check_owner()
    held.settle(not_reached)
    held.finish()
    held.release()
    return record


def known(path: Path, *people: str, key: str = "spring") -> list[str]:
    """Who of these people was reached, as another task sees it."""
    other = hold(path, "other", key=key)
    other.take(SendRecord(send="ff"), only_look=True)
    found = [person for person in people if other.reached(person)]
    other.release()
    return found


# -- digests --

digests = st.lists(
    st.binary(min_size=16, max_size=16) | st.integers(0, 40).map(lambda n: bytes([0, n % 3]) + bytes([n]) * 14)
)


@settings(max_examples=50, deadline=None)
@given(runs=st.lists(digests, max_size=9), others=digests, most=st.sampled_from([2, 64]))
def test_merged_files_hold_exactly_what_each_of_them_held(
    runs: list[list[bytes]], others: list[bytes], most: int
) -> None:
    everybody = {digest for run in runs for digest in run}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_digests, "MOST_MERGED", most)
        with SortedDigests(map(opened, runs)) as people:
            assert list(people) == sorted(everybody)
            assert len(people) == len(everybody)
            assert all(digest in people for digest in everybody)
            assert [digest in people for digest in others] == [digest in everybody for digest in others]


def test_a_digest_that_stands_across_two_others_is_not_found() -> None:
    shelf = b"\1\2"
    first, second = shelf + b"\0" * 8 + shelf + b"\3" * 4, shelf + b"\4" * 14
    across = (first + second)[10:26]
    with SortedDigests([opened([first, second])]) as people:
        assert across[:2] == shelf
        assert across not in people
        assert first in people
        assert second in people


def test_many_people_are_merged_and_looked_up_in_the_memory_of_few() -> None:
    def some(seed: int, count: int) -> Opened:
        def run(stack: ExitStack) -> list[Iterator[bytes]]:
            step = (1 << 128) // count
            return [((at * step + seed).to_bytes(16) for at in range(count))]

        return run

    peaks = []
    for count in (1_000, 25_000):
        tracemalloc.start()
        with SortedDigests([some(seed, count) for seed in range(4)]) as people:
            assert len(people) == 4 * count
            assert ((1 << 128) // count * 7 + 3).to_bytes(16) in people
            peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 300_000  # of 100,000 people, who as a list would take 5 MB


def test_a_person_has_another_digest_under_another_key_and_none_of_them_is_the_address(tmp_path: Path) -> None:
    assert digest_of("ann@example.com", b"one") != digest_of("ann@example.com", b"two")
    send(hold(tmp_path), "ann@example.com")
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"ann" not in content
    assert b"spring" not in content
    assert "spring" not in "".join(map(str, tmp_path.rglob("*")))


# -- who was reached --


def test_whoever_was_reached_is_known_to_others_under_the_same_key_alone(tmp_path: Path) -> None:
    send(hold(tmp_path), "ann@example.com", "bob@example.com", "380501112233", not_reached=("bob@example.com",))
    people = ("ann@example.com", "Ann@Example.com", "bob@example.com", "+380501112233", "eve@example.com")
    assert known(tmp_path, *people) == ["ann@example.com", "Ann@Example.com", "+380501112233"]
    assert known(tmp_path, *people, key="summer") == []


def test_whoever_was_about_to_be_reached_when_a_task_was_killed_counts_as_reached(tmp_path: Path) -> None:
    killed = hold(tmp_path)
    record = SendRecord(send="ab12")
    killed.take(record)
    killed.begin(record)
    killed.claim(["ann@example.com"])
    assert known(tmp_path, "ann@example.com") == ["ann@example.com"]


def test_what_this_send_has_done_is_the_ledgers_business(tmp_path: Path) -> None:
    record = send(hold(tmp_path), "ann@example.com")
    again = hold(tmp_path)
    again.take(record)
    assert not again.reached("ann@example.com")
    again.release()


def test_a_block_that_the_ledger_never_knew_of_is_taken_back(tmp_path: Path) -> None:
    killed, record = hold(tmp_path), SendRecord(send="ab12")
    killed.take(record)
    killed.begin(record)
    record.claim = killed.claim(["ann@example.com"])
    killed.claim(["bob@example.com"])  # killed before the ledger was saved: nothing has left
    again = hold(tmp_path)
    again.take(record)
    again.begin(record)
    again.release()
    assert known(tmp_path, "ann@example.com", "bob@example.com") == ["ann@example.com"]


def test_a_send_that_is_sent_again_may_reach_whom_the_same_task_has_reached(tmp_path: Path) -> None:
    send(hold(tmp_path), "ann@example.com")
    send(hold(tmp_path, "b"), "bob@example.com", record=SendRecord(send="cd34"))
    again = hold(tmp_path)
    again.take(SendRecord(send="ef56", resent=True))
    assert not again.reached("ann@example.com")
    assert again.reached("bob@example.com")
    again.release()


def test_a_person_is_forgotten_when_the_time_of_whoever_reached_them_is_up(tmp_path: Path) -> None:
    short, record = hold(tmp_path, keep=timedelta(seconds=-1)), SendRecord(send="ab12")
    short.take(record)
    short.begin(record)
    short.claim(["ann@example.com"])
    short.release()
    assert known(tmp_path, "ann@example.com") == []
    assert list(tmp_path.rglob("*.sent"))
    send(hold(tmp_path, "b"), "bob@example.com", record=SendRecord(send="cd34"))
    (left,) = tmp_path.rglob("*.sent")
    assert "-cd34-" in left.name


def test_a_send_ends_in_one_file_however_many_blocks_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_esp.core.send.send_key._MOST_IN_FILE", 10)
    held, record = hold(tmp_path), SendRecord(send="ab12")
    held.take(record)
    held.begin(record)
    people = [f"p{number}@example.com" for number in range(100)]
    for at in range(0, 100, 4):
        held.claim(people[at : at + 4])
    assert len(list(tmp_path.rglob("*.sent"))) > 5
    held.finish()
    held.release()
    (whole,) = tmp_path.rglob("*.sent")
    assert whole.stat().st_size == 128 + 16 * 100
    assert known(tmp_path, *people) == people


def test_left_out_is_first_whom_the_author_names(tmp_path: Path) -> None:
    send(hold(tmp_path), "ann@example.com", "bob@example.com")
    named = Suppression()
    named.take_given(["ann@example.com"], "the list")
    other = hold(tmp_path, "other")
    other.take(SendRecord(send="ff"), only_look=True)
    left_out = ReachedBefore(other, named)
    assert left_out.reason(("ann@example.com", None)) == "left out: stands in the list"
    assert left_out.reason((None, "bob@example.com")) == REACHED_BEFORE
    assert left_out.reason(("eve@example.com", "bob@example.com")) is None
    other.release()


# -- who sends --


def test_a_second_task_waits_and_goes_on_when_the_first_has_ended(tmp_path: Path) -> None:
    first, second = hold(tmp_path), hold(tmp_path, "b")
    first.take(SendRecord(send="ab12"))
    foreign(tmp_path)
    second.wait, pauses = 60, []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        folder(tmp_path).remove_owner()

    second.pause = pause
    second.take(SendRecord(send="cd34"))
    second.check_owner()
    assert len(pauses) == 1


def foreign(path: Path) -> None:
    """Make the owner one of another machine, of which nobody here can tell whether it has ended."""
    owner = folder(path).owner()
    assert owner is not None
    folder(path).write_owner(Owner(owner.task, owner.mark, f"elsewhere:{owner.process.partition(':')[2]}"))


def test_a_second_task_stops_when_the_first_does_not_end_and_says_what_to_do(tmp_path: Path) -> None:
    hold(tmp_path).take(SendRecord(send="ab12"))
    foreign(tmp_path)
    with pytest.raises(SendKeyTaken, match=r"task 'a' sends under send_key 'spring'.*remove .*owner\.json"):
        hold(tmp_path, "b").take(SendRecord(send="cd34"))


def test_a_task_that_waits_is_ended_by_airflow(tmp_path: Path) -> None:
    hold(tmp_path).take(SendRecord(send="ab12"))
    second = hold(tmp_path, "b")
    second.wait, second.pause = 60, lambda seconds: second.stop.request()
    with pytest.raises(TaskStopped):
        second.take(SendRecord(send="cd34"))


def test_a_task_whose_process_was_killed_on_this_machine_is_not_waited_for(tmp_path: Path) -> None:
    host = this_process().partition(":")[0]
    folder(tmp_path).write_owner(Owner("task 'a'", "0" * 12, f"{host}:{2**22 + 1}:77"))
    second = hold(tmp_path, "b")
    second.take(SendRecord(send="cd34"))
    second.check_owner()


def test_the_next_try_of_a_task_takes_over_and_the_earlier_one_sends_nothing_more(tmp_path: Path) -> None:
    first, second = hold(tmp_path), hold(tmp_path)
    first.take(SendRecord(send="ab12"))
    second.take(SendRecord(send="ab12"))
    with pytest.raises(SendKeyTaken, match="this one stops and sends nothing more"):
        first.check_owner()
    first.release()
    second.check_owner()  # what is over takes nothing away from who sends


def test_who_only_looks_writes_nothing(tmp_path: Path) -> None:
    looking = hold(tmp_path)
    looking.take(SendRecord(send="ab12"), only_look=True)
    looking.release()
    assert not list(tmp_path.iterdir())


# -- what goes wrong --


@pytest.mark.parametrize("content", [b"", b"nonsense", b"esp sent 1\n{}"])
def test_a_damaged_file_is_an_error_and_not_a_new_beginning(content: bytes, tmp_path: Path) -> None:
    send(hold(tmp_path), "ann@example.com")
    (path,) = tmp_path.rglob("*.sent")
    path.write_bytes(content)
    with pytest.raises(LedgerUnreadable, match=r"is damaged: it says who was reached"):
        known(tmp_path)


def test_a_file_that_was_cut_off_is_an_error(tmp_path: Path) -> None:
    send(hold(tmp_path), *(f"p{number}@example.com" for number in range(100)))
    (path,) = tmp_path.rglob("*.sent")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(LedgerUnreadable, match=r"is damaged"):
        known(tmp_path)


def test_a_damaged_owner_is_an_error(tmp_path: Path) -> None:
    held = hold(tmp_path)
    held.take(SendRecord(send="ab12"))
    (path,) = tmp_path.rglob("owner.json")
    path.write_text("{}")
    with pytest.raises(LedgerUnreadable, match=r"owner\.json is damaged"):
        held.check_owner()


def test_a_folder_that_cannot_be_written_is_waited_for_once_and_named(tmp_path: Path) -> None:
    tries: list[float] = []
    path = tmp_path / "file"
    path.write_text("in the way")
    patience = Patience(5, clock=lambda: float(len(tries)), sleep=tries.append)
    held = folder(path, patience=patience)
    with pytest.raises(StorageUnwritable, match=r"Who was reached cannot be written to .*sent_path="):
        held.write_owner(Owner("a", "b", "c"))


def test_names_of_files_sort_by_time_and_are_read_back() -> None:
    name = SentName("20300101T000000Z", "0" * 16, "ab12", "c" * 12, 7)
    assert str(name) == f"20300101T000000Z-{'0' * 16}-ab12-{'c' * 12}-000007.sent"


def test_temporary_files_go_with_whoever_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    send(hold(tmp_path / "sent"), "ann@example.com")
    assert known(tmp_path / "sent", "ann@example.com") == ["ann@example.com"]
    assert not list((tmp_path / "temporary").iterdir())
