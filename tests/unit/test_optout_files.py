"""Opt-out files as they come: whoever stands in one is found, or the rows that name nobody are counted."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from airflow_provider_esp.core.validation.addresses import PhoneRules
from airflow_provider_esp.core.validation.optouts.files import read_delimited, read_lines
from airflow_provider_esp.core.validation.suppression import OneList, Suppression
from airflow_provider_esp.exceptions import ColumnError
from airflow_provider_esp.operators._optout_sources import open_optouts
from airflow_provider_esp.sources import FileSource, ListSource

ANN, BEN, CID = "ann@example.com", "ben@example.com", "cid@example.com"
NUMBER = "380971112233"


def taken(
    text: str | bytes, columns: list[str] | None = None, rules: PhoneRules | None = None
) -> tuple[Suppression, OneList]:
    suppression = Suppression(rules)
    stream = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    return suppression, suppression.take_rows(read_delimited(stream, "optouts.csv"), columns)


def left_out(suppression: Suppression, *people: str) -> list[str]:
    return [person for person in people if suppression.reason([person])]


# -- what is found --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"email;reason\n{ANN};complaint\n{BEN};bounced\n",
        f"reason\temail\ncomplaint\t{ANN}\nbounced\t{BEN}\n",
        f"email|reason\n{ANN}|complaint\n{BEN}|bounced\n",
        f"email^reason\n{ANN}^complaint\n{BEN}^bounced\n",
        f"sep=;\nemail;reason\n{ANN};1,5\n{BEN};2,5\n",
        f"{ANN}\n{BEN}\n",
        f"{ANN},complaint,1\n{BEN},bounced,1\n",
        f"complaint;1;{ANN}\nbounced;1;{BEN}\n",
        f"E-Mail Address,Reason\n{ANN},complaint\n{BEN},bounced\n",
        f"Електронна пошта;Причина\n{ANN};x\n{BEN};y\n",
        f"EMAIL,reason\r\n{ANN},complaint\r\n{BEN},bounced\r\n",
        f"who,why\n{ANN},complaint\n{BEN},bounced\n",
        f"contact\n{ANN}\n{BEN}\n",
        f"\n\nemail,reason\n\n{ANN},complaint\n\n{BEN},bounced\n\n",
        f'"email","reason"\n"{ANN}","said ""stop"""\n"{BEN}",""\n',
        f"email,reason\n{ANN},complaint,again\n{BEN}\n",
        f'email,reason\n{ANN},"complaint\n{BEN},bounced\n',
        f'email,reason\n{ANN},"complaint\n{BEN},bounced"\n',
        f'reason,email\n"complaint,{ANN}\nbounced,{BEN}\n',
        f"email,reason,\n{ANN},complaint,\n{BEN},bounced,\n",
        f"email,email\n{ANN},x\n{BEN},\n",
        f"email\n{ANN};{BEN}\n",
        f'emails\n"{ANN}, {BEN}"\n',
        f"name,contacts\nAnn,{ANN} / +{NUMBER}\nBen,<{BEN}>\n",
    ],
)  # fmt: skip
def test_everybody_in_a_file_is_left_out(text: str) -> None:
    for written in (text, text.encode("utf-8-sig"), text.encode("utf-16")):
        suppression, one = taken(written)
        assert one.unreadable == 0
        assert left_out(suppression, ANN, BEN, CID) == [ANN, BEN]


@pytest.mark.parametrize("text", [f"email,note\n{ANN},caf\u00e9\n{BEN},\u00a0\n", f"email\n\u00a0{ANN}\n{BEN}\n"])
def test_a_file_in_another_encoding_names_the_same_people(text: str) -> None:
    suppression, one = taken(text.encode("cp1252"))
    assert (one.unreadable, left_out(suppression, ANN, BEN)) == (0, [ANN, BEN])


@pytest.mark.parametrize(
    "text",
    [
        f"phone\n+{NUMBER}\n", f"phone;reason\n{NUMBER}.0;x\n", f"{NUMBER}\n", f"+{NUMBER};complaint\n",
        "Mobile Number,reason\n097 111 22 33,x\n", "0971112233\n", "who,why\n097 111 22 33,x\n",
        "customer,reason\n3.80971112233E+11,x\n", f"email,phone\n,{NUMBER}\n",
        "email;number\nann@example.com;0971112233\n",
        "msisdn\n971112233\n", "email,contact_number\n,971112233\n", "E-Mail;Number\nann@example.com;971112233\n",
        "email;Номер\n;971112233\n", "email;Mob. No.\n;971112233\n", "Телефон;Дата\n(097) 111-22-33;2024-05-01\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("rules", [None, PhoneRules(default_country="UA")], ids=["no country", "UA"])
def test_numbers_in_a_file_are_left_out(text: str, rules: PhoneRules | None) -> None:
    suppression, one = taken(text, rules=rules)
    assert one.unreadable == 0
    assert left_out(suppression, f"+{NUMBER}", "+380971112234") == [f"+{NUMBER}"]


def test_only_columns_that_hold_people_are_read() -> None:
    text = f"email,handled_by,order\n{ANN},{BEN},1234567890\n"
    suppression, _ = taken(text)
    assert left_out(suppression, ANN, BEN, "+381234567890") == [ANN]
    suppression, _ = taken(text, ["handled_by"])
    assert left_out(suppression, ANN, BEN) == [BEN]
    suppression, _ = taken(text, ["Handled By", "elsewhere"])
    assert left_out(suppression, ANN, BEN) == [BEN]


def test_flags_that_are_called_like_addresses_are_no_people() -> None:
    suppression, one = taken(f"email_status,sms,address\n1,1,{ANN}\n0,1,{BEN}\n")
    assert (one.unreadable, left_out(suppression, ANN, BEN)) == (0, [ANN, BEN])


def test_a_column_that_is_blank_at_first_is_read() -> None:
    rows = "".join(f"+38097{number:07},\n" for number in range(1100))
    suppression, one = taken(f"phone,mail\n{rows},{ANN}\n")
    assert (one.unreadable, left_out(suppression, ANN)) == (0, [ANN])


PEOPLE_FIRST = "".join(f"p{number}@example.com,,\n" for number in range(1100))


@pytest.mark.parametrize(
    ("header", "row", "out"),
    [
        ("email,kontakt,note", f",{ANN},", [ANN]),
        ("email,kontakt,note", ",,0971112233", [f"+{NUMBER}"]),
        ("email,kontakt,note", f"{ANN},+{NUMBER},", [ANN, f"+{NUMBER}"]),
        ("email,kontakt,note", f"{ANN},097 111 22 33,", [ANN, f"+{NUMBER}"]),
        ("email,kontakt,note", f"{ANN},{BEN},1234567890", [ANN]),  # whoever has written the note, and its number
        ("who,kontakt,note", f",{BEN},", [BEN]),
        ("who,kontakt,note", f"{ANN},{BEN},", [ANN, BEN]),
        ("who,kontakt,note", f"{ANN},Ben,", [ANN]),
    ],
)
def test_a_column_that_is_blank_at_first_and_is_called_like_nothing_is_read(
    header: str, row: str, out: list[str]
) -> None:
    suppression, one = taken(f"{header}\n{PEOPLE_FIRST}{row}\n,,n/a\n", rules=PhoneRules(default_country="UA"))
    assert (one.unreadable, one.blank) == (0, 1)
    assert left_out(suppression, ANN, BEN, f"+{NUMBER}", "+381234567890") == out


def test_columns_that_the_author_names_are_the_only_ones() -> None:
    suppression, one = taken(f"email,kontakt,note\n{PEOPLE_FIRST},{ANN},\n", ["email"])
    assert (one.unreadable, one.blank, left_out(suppression, ANN)) == (0, 1, [])


def test_a_blank_column_hides_no_other() -> None:
    suppression, one = taken(f"email_note,who\n,{ANN}\n,{BEN}\n")
    assert (one.unreadable, left_out(suppression, ANN, BEN)) == (0, [ANN, BEN])


def test_an_address_in_another_column_than_the_first_rows_have_is_found() -> None:
    rows = "".join(f"p{number}@example.com,x\n" for number in range(1100))
    suppression, one = taken(f"who,why\n{rows},{ANN}\n")
    assert (one.unreadable, left_out(suppression, ANN)) == (0, [ANN])


def test_ids_leave_out_who_has_them_and_nobody_whose_number_ends_so() -> None:
    for text in ("customer\nc-7\n1001.0\n", "external_id,note\nc-7,x\n1001,y\n", "customer_id\nc-7\n1001\n7654321\n"):
        suppression, one = taken(text)
        assert one.unreadable == 0
        assert left_out(suppression, "c-7", "1001", "C-7", "+380977654321") == ["c-7", "1001"]


def test_a_file_of_digests_is_no_list_of_ids() -> None:
    for text in ("md5\nd41d8cd98f00b204e9800998ecf8427e\n", f"sha256\n{'ab12' * 16}\n"):
        _, one = taken(text)
        assert (one.unreadable, one.people) == (1, 0)


def test_numbers_of_orders_beside_addresses_are_nobodys() -> None:
    suppression, one = taken(f"email,order_number\n{ANN},380971112\n{BEN},7\n")
    assert (one.unreadable, left_out(suppression, ANN, BEN, "+48380971112")) == (0, [ANN, BEN])


def test_a_file_with_nothing_but_words_is_no_list_of_ids() -> None:
    _, one = taken("email\nann at work\nben at home\n")
    assert one.unreadable_rows == [1, 2]
    with pytest.raises(ColumnError, match="none holds addresses or phone numbers"):
        taken("first,last\nAnn,Smith\n")


def test_no_address_stands_in_a_message() -> None:
    with pytest.raises(ColumnError) as raised:
        taken(f"id,{ANN.replace('@', ' at ')} 380971112233\n1,x\n")
    assert "380971112233" not in str(raised.value)


def test_rows_that_name_nobody_are_counted_with_their_numbers() -> None:
    rows = "".join(f"x{number}@example,1\n" for number in range(30))
    _, one = taken(f"email,n\n{ANN},1\n{rows},1\n")
    assert (one.entries, one.people, one.blank, one.unreadable) == (32, 1, 1, 30)
    assert one.unreadable_rows == list(range(2, 22))


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff", "email,reason\n", "email\n\n\n"])
def test_a_file_without_rows_has_no_entries(text: str) -> None:
    assert taken(text)[1].entries == 0


def test_a_huge_cell_is_read_through() -> None:
    lines = "".join(f"x,p{number}@example.com\n" for number in range(20_000))
    suppression, one = taken(f'reason,email\n"never closed,{ANN}\n{lines}')
    assert left_out(suppression, ANN, "p0@example.com", "p9999@example.com", "p19999@example.com", BEN) == [
        ANN, "p0@example.com", "p9999@example.com", "p19999@example.com"
    ]  # fmt: skip
    assert one.unreadable == 0


# -- NDJSON, rows ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        [{"email": ANN}, {"email": BEN, "reason": "x"}],
        [{"email": ANN}, {"phone": NUMBER}, {"mail": BEN}],
        [{"emails": [ANN, BEN]}],
        [{"contact": {"email": ANN}}, {"contact": {"email": BEN}}],
        [ANN, BEN],
        [[ANN, BEN]],
        [{"email": ANN}, BEN],
        [{ANN: True}, {"email": BEN}],
    ],
    ids=repr,
)  # fmt: skip
def test_everybody_in_json_lines_is_left_out(lines: list[object]) -> None:
    suppression = Suppression()
    stream = io.BytesIO("\n".join(map(json.dumps, lines)).encode())
    suppression.take_rows(read_lines(stream, "optouts.ndjson"))
    assert left_out(suppression, ANN, BEN, CID) == [ANN, BEN]


def test_a_number_in_an_object_is_known_by_its_key() -> None:
    line = json.dumps({"who": {"email": ANN, "phone": "0971112233", "order": 1112244}, "at": "2024-05-01"})
    suppression = Suppression()
    one = suppression.take_rows(read_lines(io.BytesIO(line.encode()), "optouts.ndjson"))
    assert one.unreadable == 0
    assert left_out(suppression, ANN, f"+{NUMBER}", "+380501112244") == [ANN, f"+{NUMBER}"]


def test_a_line_that_is_no_json_is_searched() -> None:
    suppression = Suppression()
    text = f'{{"email": "{ANN}"}}\n{{"email": "{BEN}"\nnot json\n'
    one = suppression.take_rows(read_lines(io.BytesIO(text.encode()), "optouts.ndjson"))
    assert left_out(suppression, ANN, BEN) == [ANN, BEN]
    assert one.unreadable_rows == [3]


def test_a_key_that_comes_late_is_read() -> None:
    lines = [{"email": f"p{number}@example.com"} for number in range(1100)] + [
        {"phone": NUMBER},
        {"note": f"see {ANN}"},
    ]
    suppression = Suppression()
    one = suppression.take_rows(read_lines(io.BytesIO("\n".join(map(json.dumps, lines)).encode()), "optouts.ndjson"))
    assert (one.unreadable, left_out(suppression, f"+{NUMBER}", ANN)) == (0, [f"+{NUMBER}", ANN])


@pytest.mark.parametrize("name", ["optouts.txt", "optouts.csv", "optouts.tsv", "optouts.csv.gz", "optouts.parquet"])
def test_files_of_each_kind_are_opened(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        import pyarrow as pa
        from pyarrow.parquet import write_table

        write_table(pa.table({"who": [ANN, None], "all": [[BEN], []]}), path)
    elif name.endswith("gz"):
        import gzip

        path.write_bytes(gzip.compress(f"{ANN}\n{BEN}\n".encode()))
    else:
        path.write_text(f"{ANN}\n{BEN}\n")
    suppression = Suppression()
    with open_optouts(FileSource(str(path)), None) as table:
        one = suppression.take_rows(table)
    assert (one.unreadable, left_out(suppression, ANN, BEN, CID)) == (0, [ANN, BEN])


def test_rows_in_a_list_need_no_columns_in_common() -> None:
    suppression = Suppression()
    with open_optouts(ListSource([{"email": ANN, "note": "x"}, {"phone": NUMBER}, {"who": BEN}]), ["email"]) as table:
        suppression.take_rows(table)
    assert left_out(suppression, ANN, f"+{NUMBER}", BEN, CID) == [ANN, f"+{NUMBER}", BEN]
