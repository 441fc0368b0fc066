"""`UploadContactsOperator`, run by Airflow against the sandbox: what arrives there, and what the task says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.hooks.esputnik import EsputnikHook
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.options import EsputnikUpload, SendPulseUpload
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.services.esputnik.api import contacts as esputnik_contacts
from airflow_provider_esp.sources import FileSource

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

POINTS = 79811
ANN, BEN, CID = "ann@example.com", "ben@example.com", "cid@example.com"
PEOPLE = [{"email": ANN}, {"email": BEN}, {"email": CID}]
WAITS = pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "in the triggerer"])


def upload(source: Any, **arguments: Any) -> UploadContactsOperator:
    told = {"esp_conn_id": "esputnik_default", "poll_interval": 0.05, **arguments}
    return UploadContactsOperator(task_id="upload", source=source, **told)


def contacts(sandbox: Sandbox) -> dict[str, Any]:
    return {row["email"]: row for row in sandbox.rows("esputnik", "contacts")}


def custom(contact: Any) -> dict[int, str]:
    return {field["id"]: field["value"] for field in contact.get("fields", ())}


def bodies(sandbox: Sandbox, path: str = "*/v1/contacts") -> list[Any]:
    return [json.loads(row["body"]) for row in sandbox.requests(path, "POST")]


def report(folder: Path) -> list[dict[str, Any]]:
    lines = [line for part in sorted(folder.rglob("*.ndjson")) for line in part.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def outcomes(ran: Any) -> dict[str, int]:
    return {outcome: ran.value[outcome] for outcome in Outcome if ran.value[outcome]}


# -- where rows come from ---------------------------------------------------------------------------------------


def test_a_list_of_rows_becomes_contacts(run: Run, sandbox: Sandbox) -> None:
    ran = run(upload([{"email": ANN, "first_name": "Ann"}, {"email": BEN, "first_name": "Ben"}]))
    assert (ran.state, ran.value["rows"], outcomes(ran)) == ("success", 2, {"accepted": 2})
    assert {email: row["firstName"] for email, row in contacts(sandbox).items()} == {ANN: "Ann", BEN: "Ben"}


def test_a_csv_file_becomes_contacts_by_its_columns(run: Run, sandbox: Sandbox, write: Write) -> None:
    path = write("people.csv", f"mail,mobile,tier,note\n{ANN},+44 7700 900001,gold,private\n")
    ran = run(upload(path, columns={"mail": "email", "mobile": "phone", "tier": "LOYALTY.TIER"}))
    assert (ran.state, outcomes(ran)) == ("success", {"accepted": 1})
    assert contacts(sandbox)[ANN]["phone"] == "+447700900001"
    assert list(custom(contacts(sandbox)[ANN]).values()) == ["gold"]
    assert "private" not in json.dumps(bodies(sandbox))


def test_an_ndjson_file_becomes_contacts(run: Run, sandbox: Sandbox, write: Write) -> None:
    path = write("people.ndjson", f'{{"email": "{ANN}", "town": "Lviv"}}\n\n{{"email": "{BEN}"}}\n')
    ran = run(upload(FileSource(path)))
    assert (ran.state, outcomes(ran)) == ("success", {"accepted": 2})
    assert contacts(sandbox)[ANN]["address"]["town"] == "Lviv"


def test_rows_come_through_an_xcom(worker: Any, sandbox: Sandbox) -> None:
    from airflow.providers.common.compat.sdk import task

    with worker.dag() as dag:

        @task
        def find() -> list[dict[str, str]]:
            return PEOPLE

        upload(find())
    ran = worker.run_dag(dag)
    assert (ran["upload"].state, outcomes(ran["upload"])) == ("success", {"accepted": 3})
    assert set(contacts(sandbox)) == {ANN, BEN, CID}


def test_the_path_may_be_a_template(worker: Any, write: Write) -> None:
    write("monday.csv", f"email\n{ANN}\n")
    folder = write("x", "")[:-1]
    with worker.dag() as dag:
        upload(FileSource(folder + "{{ dag_run.conf['day'] }}.csv"))
    assert outcomes(worker.run_dag(dag, conf={"day": "monday"})["upload"]) == {"accepted": 1}


def test_rows_in_a_list_stand_nowhere_in_airflow(
    worker: Any, whole_database: Callable[[], str], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"email": "dora.listed@example.com", "phone": "+447700900866", "first_name": "Dora-Listed"}]
    with worker.dag() as dag:
        upload(rows, deferrable=True)
    assert worker.run_dag(dag)["upload"].state == "success"
    kept, told = whole_database(), "".join(capfd.readouterr()) + caplog.text
    assert dag.dag_id in kept
    assert "1 rows" in kept
    assert not [value for value in rows[0].values() if value in kept + told]


# -- what is written ---------------------------------------------------------------------------------------------


def test_a_blank_cell_leaves_the_old_value_alone(run: Run, sandbox: Sandbox) -> None:
    columns = {"email": "email", "name": "first_name", "points": "LOYALTY.POINTS"}
    run(
        upload(
            [{"email": ANN, "name": "Ann", "points": 7}, {"email": BEN, "name": "Ben", "points": 8}], columns=columns
        )
    )
    changed = [{"email": ANN, "name": "", "points": None}, {"email": BEN, "name": "Benjamin", "points": 9}]
    assert outcomes(run(upload(changed, columns=columns))) == {"accepted": 2}
    ann, ben = contacts(sandbox)[ANN], contacts(sandbox)[BEN]
    assert (ann["firstName"], custom(ann)) == ("Ann", {POINTS: "7"})
    assert (ben["firstName"], custom(ben)) == ("Benjamin", {POINTS: "9"})


def test_a_blank_cell_erases_the_old_value_where_the_author_says_so(run: Run, sandbox: Sandbox) -> None:
    columns = {"email": "email", "name": "first_name", "points": "LOYALTY.POINTS"}
    made = run(upload([{"email": ANN, "name": "Ann", "points": 7}], columns=columns))
    assert made.state == "success", made.error
    erased = run(upload([{"email": ANN, "name": "", "points": None}], columns=columns, blank_values="clear"))
    assert erased.state == "success", erased.error
    assert not contacts(sandbox)[ANN].get("firstName")
    assert not custom(contacts(sandbox)[ANN]).get(POINTS)


def test_a_column_that_is_not_there_is_not_erased_even_where_blanks_are(run: Run, sandbox: Sandbox) -> None:
    run(upload([{"email": ANN, "first_name": "Ann", "town": "Lviv"}]))
    run(upload([{"email": ANN, "first_name": ""}], blank_values="clear"))
    assert contacts(sandbox)[ANN]["address"]["town"] == "Lviv"


def test_every_request_names_the_fields_it_writes(run: Run, sandbox: Sandbox) -> None:
    run(upload([{"email": ANN, "first_name": "Ann"}, {"email": BEN}]))
    assert sorted(sorted(body["contactFields"]) for body in bodies(sandbox)) == [["email"], ["email", "firstName"]]
    assert all(body["customFieldsIDs"] == [] for body in bodies(sandbox))


def test_numbers_and_dates_travel_in_one_request_as_well(run: Run, sandbox: Sandbox) -> None:
    columns = {"email": "email", "points": "LOYALTY.POINTS", "birthday": "PERSONAL.BIRTHDAY"}
    rows = [{"email": email, "points": 7, "birthday": date(1990, 2, 28)} for email in (ANN, BEN)]
    assert outcomes(run(upload(rows, columns=columns))) == {"accepted": 2}
    assert [len(body["contacts"]) for body in bodies(sandbox)] == [2]
    assert sorted(custom(contacts(sandbox)[ANN]).values()) == ["1990-02-28", "7"]


def test_contacts_are_matched_by_what_the_author_says(run: Run, sandbox: Sandbox) -> None:
    run(upload([{"external_id": "c1", "email": ANN}], dedupe_on="external_id"))
    run(upload([{"external_id": "c1", "email": "ann.new@example.com"}], dedupe_on="external_id"))
    assert {row["external_id"] for row in contacts(sandbox).values()} == {"c1"}
    assert len(contacts(sandbox)) == 1


# -- segments, and the other options ------------------------------------------------------------------------------


def test_a_segment_that_does_not_exist_is_refused_before_anything_is_sent(run: Run, sandbox: Sandbox) -> None:
    ran = run(upload(PEOPLE, segments=["Newsletter", "Newsleter"]))
    assert ran.state == "failed"
    assert "no segment 'Newsleter'" in ran.error
    assert "create_segments=True" in ran.error
    assert not bodies(sandbox)


def test_a_segment_is_made_where_the_author_says_so(run: Run, sandbox: Sandbox) -> None:
    assert run(upload(PEOPLE, segments=["Newsletter", "Made today"], create_segments=True)).state == "success"
    assert set(contacts(sandbox)[ANN]["segments"]) >= {"Newsletter", "Made today"}


def test_contacts_are_taken_out_of_segments(run: Run, sandbox: Sandbox) -> None:
    run(upload(PEOPLE, segments=["Newsletter"]))
    run(upload([{"email": ANN}], segments_exclude="Newsletter"))
    assert "Newsletter" not in contacts(sandbox)[ANN]["segments"]
    assert "Newsletter" in contacts(sandbox)[BEN]["segments"]


def test_deleted_contacts_come_back_only_where_the_author_says_so(run: Run, sandbox: Sandbox) -> None:
    run(upload(PEOPLE))
    hook = EsputnikHook("esputnik_default")
    hook.run(esputnik_contacts.delete(contacts(sandbox)[ANN]["id"]))
    hook.close()
    assert outcomes(run(upload(PEOPLE, max_rejects=1))) == {"accepted": 2, "rejected": 1}
    assert ANN not in contacts(sandbox)
    assert outcomes(run(upload(PEOPLE, options=EsputnikUpload(restore_deleted=True)))) == {"accepted": 3}
    assert ANN in contacts(sandbox)


def test_new_contacts_raise_an_event_and_known_ones_do_not(run: Run, sandbox: Sandbox) -> None:
    run(upload([{"email": ANN}]))
    run(upload(PEOPLE, options=EsputnikUpload(event_key_for_new_contacts="welcome")))
    assert {row["key"] for row in sandbox.rows("esputnik", "events") if row["type"] == "welcome"} == {BEN, CID}


def test_batches_have_the_size_that_the_author_says(run: Run, sandbox: Sandbox) -> None:
    ran = run(upload([{"email": f"p{number}@example.com"} for number in range(5)], batch_size=2))
    assert sorted(len(body["contacts"]) for body in bodies(sandbox)) == [1, 2, 2]
    assert (ran.value["imports_total"], len(ran.value["imports"])) == (3, 3)


def test_batches_have_the_services_own_maximum_by_default(run: Run, sandbox: Sandbox) -> None:
    rows = [{"email": f"p{number}@example.com"} for number in range(3001)]
    assert outcomes(run(upload(rows))) == {"accepted": 3001}
    assert sorted(len(body["contacts"]) for body in bodies(sandbox)) == [1, 3000]


def test_a_batch_beyond_the_services_maximum_is_refused(run: Run, sandbox: Sandbox) -> None:
    ran = run(upload(PEOPLE, batch_size=3001))
    assert (ran.state, not bodies(sandbox)) == ("failed", True)
    assert "batch_size must be 1 to 3000" in ran.error


# -- the wait -----------------------------------------------------------------------------------------------------


def test_without_a_wait_the_imports_go_on_by_themselves(run: Run, sandbox: Sandbox) -> None:
    sandbox.set(import_seconds=60.0)
    ran = run(upload(PEOPLE, wait_for_completion=False))
    assert (ran.state, outcomes(ran)) == ("success", {"accepted": 3})
    assert sandbox.rows("esputnik", "imports")[0]["id"] == ran.value["imports"][0]
    assert not contacts(sandbox)


@WAITS
def test_the_task_ends_when_the_imports_have(
    run: Run, sandbox: Sandbox, deferrable: bool, end_after_looks: Callable[[int], None]
) -> None:
    end_after_looks(2)
    ran = run(upload(PEOPLE, deferrable=deferrable))
    assert (ran.state, outcomes(ran), ran.value["imports_total"]) == ("success", {"accepted": 3}, 1)
    assert len(contacts(sandbox)) == 3


def test_airflows_setting_says_where_tasks_wait_that_do_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert upload(PEOPLE).deferrable is False
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert upload(PEOPLE).deferrable is True
    assert upload(PEOPLE, deferrable=False).deferrable is False


@WAITS
def test_an_import_that_fails_rejects_its_rows(run: Run, sandbox: Sandbox, tmp_path: Path, deferrable: bool) -> None:
    sandbox.set(esputnik__import_outcome="error")
    ran = run(upload(PEOPLE, deferrable=deferrable, report_path=str(tmp_path / "report")))
    assert ran.state == "failed"
    assert "3 of 3 rows were refused" in ran.error
    assert "the import failed: Import failed" in ran.error
    assert {(row["row"], row["key"], row["outcome"]) for row in report(tmp_path / "report")} == {
        (1, ANN, "rejected"),
        (2, BEN, "rejected"),
        (3, CID, "rejected"),
    }


@WAITS
def test_somebody_whom_an_import_leaves_out_is_rejected_by_name(
    run: Run, sandbox: Sandbox, tmp_path: Path, deferrable: bool
) -> None:
    sandbox.set(esputnik__import_missing=[BEN])
    ran = run(upload(PEOPLE, deferrable=deferrable, report_path=str(tmp_path / "report"), max_rejects=1))
    assert (ran.state, outcomes(ran)) == ("success", {"accepted": 2, "rejected": 1})
    (row,) = report(tmp_path / "report")
    assert (row["row"], row["key"], row["outcome"]) == (2, BEN, "rejected")
    assert row["reason"] == "the import finished without naming this contact"
    assert row["import_id"] == ran.value["imports"][0]


def test_without_a_report_somebody_left_out_is_counted_and_marked_as_not_named(
    run: Run, sandbox: Sandbox, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.set(esputnik__import_missing=[BEN])
    ran = run(upload(PEOPLE, deferrable=True))
    assert ran.state == "failed"
    assert "not named" in ran.error
    assert BEN not in ran.error + "".join(capfd.readouterr()) + caplog.text


@WAITS
def test_an_import_that_never_ends_fails_the_task_with_the_limit_named(
    run: Run, sandbox: Sandbox, deferrable: bool
) -> None:
    sandbox.set(esputnik__import_outcome="never")
    ran = run(upload(PEOPLE, deferrable=deferrable, timeout=0.4))
    assert ran.state == "failed"
    assert "1 imports had not ended after 0.4 s" in ran.error


# -- what becomes of rows that cannot go ---------------------------------------------------------------------------


MIXED = [
    {"email": ANN},
    {"email": "nobody"},
    {"email": ""},
    {"email": BEN, "phone": "12"},
    {"email": CID},
    {"email": ANN.upper()},
]


def test_the_outcomes_add_up_to_the_rows_and_the_report_names_each(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.set(esputnik__import_missing=[CID])
    ran = run(upload(MIXED, report_path=str(tmp_path / "report"), max_rejects=4))
    assert ran.value["rows"] == sum(ran.value[outcome] for outcome in Outcome) == len(MIXED)
    assert outcomes(ran) == {"accepted": 1, "rejected": 1, "invalid": 3, "duplicate": 1}
    told = {row["row"]: (row["outcome"], row.get("reason", "")) for row in report(tmp_path / "report")}
    assert told == {
        1: ("duplicate", "duplicate of row 6"),
        2: ("invalid", "the e-mail address is not valid: it has no @"),
        3: ("invalid", "no email"),
        4: ("invalid", "the phone number is not valid"),
        5: ("rejected", "the import finished without naming this contact"),
    }


def test_the_report_holds_rows_only_where_the_author_says_so(run: Run, tmp_path: Path) -> None:
    rows = [{"email": "nobody", "first_name": "Ann"}]
    run(upload(rows, report_path=str(tmp_path / "without"), max_rejects=1))
    run(upload(rows, report_path=str(tmp_path / "with"), report_rows=True, max_rejects=1))
    assert "values" not in report(tmp_path / "without")[0]
    assert report(tmp_path / "with")[0]["values"] == {"email": "nobody", "first_name": "Ann"}


def test_too_many_refused_rows_fail_the_task_after_everything_else_was_done(run: Run, sandbox: Sandbox) -> None:
    ran = run(upload([{"email": "nobody"}, *PEOPLE, {"email": "no one"}], max_rejects=1))
    assert ran.state == "failed"
    assert (
        "2 of 5 rows were refused and max_rejects allows 1: the e-mail address is not valid: it has no @ (2)."
        in ran.error
    )
    assert set(contacts(sandbox)) == {ANN, BEN, CID}


@pytest.mark.parametrize(("allowed", "state"), [(1, "success"), ("25%", "success"), ("24%", "failed"), ("0", "failed")])
def test_refused_rows_may_be_a_number_or_a_share(run: Run, allowed: int | str, state: str) -> None:
    assert run(upload([{"email": "nobody"}, *PEOPLE], max_rejects=allowed)).state == state


def test_max_rejects_that_is_neither_is_found_before_anything_is_sent(run: Run, sandbox: Sandbox) -> None:
    ran = run(upload(PEOPLE, max_rejects="some"))
    assert (ran.state, not bodies(sandbox)) == ("failed", True)
    assert 'max_rejects must be a number of rows or a share such as "1%"' in ran.error


def test_what_the_service_refuses_at_once_is_rejected_and_the_others_go(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    rows = [{"email": ANN}, {"email": "ben@example." + "x" * 30}]
    ran = run(upload(rows, report_path=str(tmp_path / "report"), max_rejects=1))
    assert (ran.state, outcomes(ran)) == ("success", {"accepted": 1, "rejected": 1})
    assert set(contacts(sandbox)) == {ANN}
    (row,) = report(tmp_path / "report")
    assert (row["row"], row["reason"]) == (2, "'[address]' is not valid email")


def test_the_table_of_outcomes_stands_in_the_log(
    run: Run, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run(upload(MIXED, max_rejects=5))
    told = "".join(capfd.readouterr()) + caplog.text
    assert "Row outcomes:" in told
    assert "rows read" in told
    assert not [word for word in (ANN, BEN, CID) if word in told]


# -- SendPulse ----------------------------------------------------------------------------------------------------


def into_list(source: Any, **arguments: Any) -> UploadContactsOperator:
    return upload(source, esp_conn_id="sendpulse_default", **arguments)


def members(sandbox: Sandbox) -> dict[str, Any]:
    return {row["email"]: row for row in sandbox.rows("sendpulse", "contacts")}


def test_contacts_go_into_a_mailing_list_which_is_made_where_the_author_says_so(run: Run, sandbox: Sandbox) -> None:
    rows = [{"email": ANN, "first_name": "Ann", "phone": "+447700900001"}, {"email": BEN, "first_name": ""}]
    ran = run(into_list(rows, segments=["Customers"], create_segments=True))
    assert (ran.state, outcomes(ran), ran.value["imports_total"]) == ("success", {"accepted": 2}, 0)
    assert [(book["name"], book["contacts"]) for book in sandbox.rows("sendpulse", "books")] == [("Customers", 2)]
    assert members(sandbox)[ANN]["variables"]["first_name"] == "Ann"
    assert "first_name" not in members(sandbox)[BEN]["variables"]


def test_a_mailing_list_is_known_by_its_id_as_well(run: Run, sandbox: Sandbox) -> None:
    run(into_list([{"email": ANN}], segments=["Customers"], create_segments=True))
    book = sandbox.rows("sendpulse", "books")[0]["id"]
    assert outcomes(run(into_list(PEOPLE, segments=[str(book)], batch_size=2))) == {"accepted": 3}
    assert set(members(sandbox)) == {ANN, BEN, CID}


def test_a_mailing_list_that_does_not_exist_is_refused(run: Run, sandbox: Sandbox) -> None:
    ran = run(into_list(PEOPLE, segments=["Customers"]))
    assert (ran.state, members(sandbox)) == ("failed", {})
    assert "SendPulse has no mailing list 'Customers'" in ran.error


# -- what only one of the services can do --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"dedupe_on": "phone"}, "know contacts by phone"),
        ({"segments_exclude": ["Old"]}, "segments_exclude"),
        ({"options": EsputnikUpload(restore_deleted=True)}, "restore_deleted"),
        ({"options": EsputnikUpload(event_key_for_new_contacts="welcome")}, "event_key_for_new_contacts"),
    ],
)
def test_sendpulse_says_what_it_cannot_do_and_nothing_is_sent(
    run: Run, sandbox: Sandbox, asked: dict[str, Any], word: str
) -> None:
    ran = run(into_list(PEOPLE, segments=["Customers"], create_segments=True, **asked))
    assert ran.state == "failed"
    assert ran.error.startswith("SendPulse cannot ")
    assert word in ran.error
    assert not sandbox.rows("sendpulse", "books")


def test_esputnik_says_that_it_cannot_ask_people_to_confirm(run: Run, sandbox: Sandbox) -> None:
    ran = run(upload(PEOPLE, options=SendPulseUpload(confirmation="sender@example.com")))
    assert (ran.state, not bodies(sandbox)) == ("failed", True)
    assert ran.error.startswith("eSputnik cannot take options=SendPulseUpload(confirmation=***).")


def test_what_no_service_can_do_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match="cannot be combined") as raised:
        upload(PEOPLE, segments_exclude=["Old"], options=SendPulseUpload(confirmation="sender@example.com"))
    assert str(raised.value) == (
        "These arguments cannot be combined: segments_exclude (eSputnik) and options=SendPulseUpload (SendPulse)."
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"blank_values": "drop"}, "blank_values must be"),
        ({"concurrency": 0}, "at least 1"),
        ({"on_empty": "no"}, "on_empty must be"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_when_the_dag_is_parsed(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        upload(PEOPLE, **wrong)
