"""`SyncContactsOperator`, run by Airflow against the sandbox: day after day the target is what the source says."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.sync import SyncContactsOperator
from airflow_provider_esp.options import EsputnikUpload, SendPulseUpload
from airflow_provider_esp.sandbox import Sandbox

COLUMNS = {"email": "email", "name": "first_name"}
SERVICES = pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
_numbers = itertools.count(1)


def person(number: int, name: str = "Ann", email: str | None = None) -> dict[str, Any]:
    return {"id": number, "email": email or f"person{number}@example.com", "name": name}


def people(*numbers: int, name: str = "Ann") -> list[dict[str, Any]]:
    return [person(number, name) for number in numbers]


def address(*numbers: int) -> set[str]:
    return {f"person{number}@example.com" for number in numbers}


class Mirror:
    """A sync at a service, and what is in its target."""

    def __init__(self, worker: Any, sandbox: Sandbox, folder: Path, service: str) -> None:
        self.worker = worker
        self.sandbox = sandbox
        self.service = service
        self.folder = folder
        self.target = f"Mirror {next(_numbers)}"  # Airflow keeps which sync has which target
        self.defaults = {
            "esp_conn_id": f"{service}_default",
            "key": "id",
            "columns": COLUMNS,
            "target": self.target,
            "create_target": True,
            "mode": "mirror",
            "state_path": str(folder / "state"),
            "report_path": str(folder / "report"),
            "poll_interval": 0.02,
            "max_change": None,
            "max_removed": None,
        }

    def operator(self, source: Any, **arguments: Any) -> SyncContactsOperator:
        return SyncContactsOperator(task_id="sync", source=source, **{**self.defaults, **arguments})

    def run(self, source: Any, **arguments: Any) -> Any:
        return self.worker.run(self.operator(source, **arguments))

    def members(self) -> dict[str, Any]:
        """Who is in the target: address to first name."""
        rows = self.sandbox.rows(self.service, "contacts")
        if self.service == "esputnik":
            return {row["email"]: row["firstName"] for row in rows if self.target in row["segments"]}
        return {row["email"]: row["variables"].get("first_name") for row in rows if row["book_id"] == self.book}

    @property
    def book(self) -> int:
        (found,) = [row["id"] for row in self.sandbox.rows("sendpulse", "books") if row["name"] == self.target]
        return int(found)

    def removals(self) -> list[Any]:
        path = "*/contacts/detach" if self.service == "esputnik" else "*/addressbooks/*/emails"
        return self.sandbox.requests(path, "POST" if self.service == "esputnik" else "DELETE")

    def uploads(self) -> int:
        path = "*/v1/contacts" if self.service == "esputnik" else "*/addressbooks/*/emails"
        return len(self.sandbox.requests(path, "POST"))


@pytest.fixture
def mirror(worker: Any, sandbox: Sandbox, tmp_path: Path, service: str) -> Mirror:
    return Mirror(worker, sandbox, tmp_path, service)


ESPUTNIK = pytest.mark.parametrize("service", ["esputnik"])


def plan(ran: Any) -> dict[str, int]:
    return {name: number for name, number in ran.value["plan"].items() if number}


def report(folder: Path) -> list[dict[str, Any]]:
    lines = [line for part in sorted(folder.rglob("*.ndjson")) for line in part.read_text().splitlines()]
    return [json.loads(line) for line in lines]


@SERVICES
def test_three_days(mirror: Mirror, leaks: Any) -> None:
    first = mirror.run([*people(1, 2, 3, 4), person(5, email="nobody")], max_rejects=1)
    assert (first.state, first.error) == ("success", "")
    assert (plan(first), first.value["accepted"], first.value["invalid"]) == ({"added": 5}, 4, 1)
    assert set(mirror.members()) == address(1, 2, 3, 4)
    source = [*people(1, 2), *people(3, name="Ben"), *people(5, 6)]
    second = mirror.run(source)
    assert plan(second) == {"added": 2, "changed": 1, "removed": 1, "unchanged": 2}
    assert (second.value["removed"], second.value["held"], second.value["generation"]) == (1, 5, 2)
    expected = dict.fromkeys(address(1, 2, 5, 6), "Ann") | {"person3@example.com": "Ben"}
    assert mirror.members() == expected
    before = mirror.uploads()
    third = mirror.run(source)
    assert (plan(third), mirror.uploads(), mirror.members()) == ({"unchanged": 5}, before, expected)
    assert len(mirror.removals()) == 1
    # No address is in the state, the log, the XComs or the rendered fields.
    for path in (mirror.folder / "state").rglob("*"):
        assert path.is_dir() or b"example.com" not in path.read_bytes()
    leaks.check()


@SERVICES
def test_who_has_left_stays_a_contact_of_the_account_unless_on_leave_says_otherwise(mirror: Mirror) -> None:
    mirror.run(people(1, 2))
    mirror.run(people(1), on_leave="delete")
    gone = {row["email"] for row in mirror.sandbox.rows(mirror.service, "contacts")}
    assert "person2@example.com" not in gone
    assert set(mirror.members()) == address(1)


@ESPUTNIK
def test_the_segment_is_listed_once_where_people_are_known_by_address_and_never_where_by_id(mirror: Mirror) -> None:
    mirror.run(people(1, 2, 3))
    mirror.run(people(1, 2))
    assert len(mirror.sandbox.requests("*/v1/group/*/contacts", "GET")) == 1
    columns = {**COLUMNS, "id": "external_id"}
    other = {"columns": columns, "target": "By Id", "state_path": str(mirror.folder / "other")}
    mirror.run(people(7, 8), **other)
    ran = mirror.run(people(7), **other)
    assert ran.value["removed"] == 1
    assert len(mirror.sandbox.requests("*/v1/group/*/contacts", "GET")) == 1
    assert json.loads(mirror.removals()[-1]["body"]) == {"externalCustomerIds": ["8"]}


@ESPUTNIK
def test_who_has_left_is_unsubscribed_where_the_author_says_so(mirror: Mirror) -> None:
    mirror.run(people(1, 2))
    mirror.run(people(1), on_leave="unsubscribe")
    (told,) = mirror.sandbox.requests("*/v1/emails/unsubscribed/add", "POST")
    assert json.loads(told["body"]) == {"emails": ["person2@example.com"]}
    assert set(mirror.members()) == address(1)


@ESPUTNIK
def test_a_full_resync_repairs_what_somebody_edited_at_the_service(mirror: Mirror) -> None:
    mirror.run(people(1))
    edit = UploadContactsOperator(  # as somebody does in the service's own pages
        task_id="edit",
        esp_conn_id="esputnik_default",
        source=[{"email": "person1@example.com", "first_name": "Edited"}],
        poll_interval=0.02,
    )
    mirror.worker.run(edit)
    mirror.run(people(1))
    assert mirror.members() == {"person1@example.com": "Edited"}
    ran = mirror.run(people(1), resync="all", max_change=0.0)
    assert (ran.value["resync"], plan(ran)) == ("resync='all'", {"resent": 1})
    assert mirror.members() == {"person1@example.com": "Ann"}
    ran = mirror.run(people(1), columns={"email": "email", "name": "last_name"}, max_change=0.0)
    assert ran.value["resync"].startswith("the mapping, an option or the target is another one")


@SERVICES
def test_a_dry_run_says_what_would_change_and_writes_nothing(mirror: Mirror, leaks: Any) -> None:
    mirror.run(people(1, 2, 3))
    before, kept = mirror.uploads(), sorted((mirror.folder / "state").rglob("*"))
    ran = mirror.run([*people(1), *people(2, name="Ben"), *people(4)], dry_run=True)
    assert (ran.state, ran.error) == ("success", "")
    assert plan(ran) == {"added": 1, "changed": 1, "removed": 1, "unchanged": 1}
    assert (ran.value["dry_run"], mirror.uploads(), len(mirror.removals())) == (True, before, 0)
    assert sorted((mirror.folder / "state").rglob("*")) == kept
    rows = [(row["row"], row["outcome"], row["key"], row.get("reason")) for row in report(mirror.folder / "report")]
    assert sorted(rows) == [
        (0, "removed", "person3@example.com", None),
        (2, "changed", "2", "name"),
        (3, "added", "4", None),
    ]
    leaks.check()


@ESPUTNIK
def test_each_guard_stops_before_anything_is_sent(mirror: Mirror) -> None:
    mirror.run(people(*range(1, 11)))
    sent = mirror.uploads()
    ran = mirror.run(people(*range(1, 9)), max_removed="10%")
    assert (ran.state, "2 people would leave, which is 20% of the 10" in ran.error) == ("failed", True)
    ran = mirror.run([{"email": "x@example.com", "name": "X"}])
    assert "row 1 has no 'id', which key= names" in ran.error
    assert mirror.run([], max_removed=None).state == "skipped"
    assert (mirror.uploads(), mirror.removals(), len(mirror.members())) == (sent, [], 10)


@ESPUTNIK
def test_a_target_that_is_not_there_is_refused(mirror: Mirror) -> None:
    ran = mirror.run(people(1), create_target=False)
    assert f"has no segment '{mirror.target}'" in ran.error
    mirror.run(people(1))
    mirror.sandbox.reset()
    ran = mirror.run(people(1, 2))
    assert f"{mirror.target} is not there, and this sync has put 1 people into it" in ran.error
    ran = mirror.run(people(1, 2), reset="send_all")
    assert (ran.state, set(mirror.members())) == ("success", address(1, 2))


@ESPUTNIK
def test_two_syncs_do_not_share_a_target_that_one_of_them_mirrors(mirror: Mirror) -> None:
    mirror.run(people(1))
    ran = mirror.run(people(2), mode="upsert", state_path=str(mirror.folder / "other"))
    assert "syncs into this target as well, with a state of its own" in ran.error
    assert set(mirror.members()) == address(1)


@ESPUTNIK
def test_what_cannot_be_done_is_refused(mirror: Mirror) -> None:
    for wrong in (
        {"mode": "merge"},
        {"on_leave": "forget"},
        {"mode": "upsert", "on_leave": "delete"},
        {"mode": "upsert", "adopt": False},
        {"on_running": "race"},
        {"max_tries": 0},
        {"key": ""},
    ):
        with pytest.raises(ValueError, match=r"must be|takes nobody out|cannot be combined"):
            mirror.operator([], **wrong)
    ran = mirror.run(people(1), options=SendPulseUpload(confirmation="me@example.com"))
    assert "eSputnik cannot take options=SendPulseUpload(confirmation=***)" in ran.error
    ran = mirror.run(people(1), dedupe_on="LOYALTY.TIER")
    assert "cannot find contacts again that are matched by LOYALTY.TIER" in ran.error
    ran = mirror.run([{"id": 1, "name": "Ann"}], columns={"name": "first_name"})
    assert "columns= has no external_id or email, by which eSputnik takes people out again" in ran.error
    assert mirror.uploads() == 0


@ESPUTNIK
def test_options_reach_the_service_and_only_what_makes_contacts_is_a_full_resync(mirror: Mirror) -> None:
    mirror.run(people(1), options=EsputnikUpload(event_key_for_new_contacts="{{ task.task_id }}"))
    (sent,) = mirror.sandbox.requests("*/v1/contacts", "POST")
    told = json.loads(sent["body"])
    assert (told["eventKeyForNewContacts"], told["restoreDeleted"]) == ("sync", False)
    ran = mirror.run(people(1), options=EsputnikUpload(event_key_for_new_contacts="other"))
    assert (plan(ran), ran.value["resync"]) == ({"unchanged": 1}, None)
    ran = mirror.run(people(1), options=EsputnikUpload(restore_deleted=True))
    assert plan(ran) == {"resent": 1}
    assert json.loads(mirror.sandbox.requests("*/v1/contacts", "POST")[-1]["body"])["restoreDeleted"] is True


@ESPUTNIK
def test_a_failed_task_goes_on_and_repeats_nothing_that_is_known(mirror: Mirror) -> None:
    mirror.sandbox.fault("status", "POST", "*/v1/contacts", status=401, skip=1)
    operator = mirror.operator(people(*range(1, 7)), batch_size=2, concurrency=1)
    dag = mirror.worker.dag()
    dag.add_task(operator)
    ran = mirror.worker.run_dag(dag)["sync"]
    assert ran.state == "failed"
    assert 0 < len(mirror.members()) < 6
    again = mirror.worker.clear(dag)["sync"]
    assert (again.state, set(mirror.members())) == ("success", address(*range(1, 7)))


@ESPUTNIK
def test_the_state_key_may_be_the_authors_and_another_one_is_refused(mirror: Mirror, whole_database: Any) -> None:
    key = "an author's own key, which is long enough"
    assert mirror.run(people(1), state_key=key).state == "success"
    assert plan(mirror.run(people(1), state_key=key)) == {"unchanged": 1}
    ran = mirror.run(people(1))
    assert "was written with another state_key" in ran.error
    assert key not in whole_database()
