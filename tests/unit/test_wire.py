"""Decoding tolerates every quirk the vendors' answers were seen to have, and nothing else."""

from __future__ import annotations

import contextlib
import importlib
import json
import pkgutil
from collections.abc import Iterator
from types import NoneType
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType
from msgspec import inspect as mi

from airflow_provider_esp import services
from airflow_provider_esp.core import decoding, strict_fields
from airflow_provider_esp.core.decoding import decode
from airflow_provider_esp.exceptions import DecodingError


class Tag(msgspec.Struct):
    id: int
    name: str = ""


class Answer(msgspec.Struct, rename="camel"):
    count: int
    rate: float = 0.0
    flag: bool = False
    text: str = ""
    tags: list[Tag] = []
    words: list[str] = []
    by_name: dict[str, list[Tag]] = {}
    one: Tag | None = None
    maybe: list[Tag] | None = None
    note: str | None = None
    loose: Any = None
    gone: str | UnsetType | None = UNSET


class One(msgspec.Struct):
    data: Tag


class Many(msgspec.Struct):
    data: list[Tag]


class Nested(msgspec.Struct):
    data: Many


class Optional(msgspec.Struct):
    tags: list[Tag] = []


def written(answer: Answer) -> Any:
    return json.loads(msgspec.json.encode(answer))


TAGS = st.builds(Tag, id=st.integers(-(2**63), 2**63 - 1), name=st.text(max_size=5))
ANSWERS = st.builds(
    Answer,
    count=st.integers(-(2**63), 2**63 - 1),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    text=st.text(max_size=8),
    tags=st.lists(TAGS, max_size=3),
    words=st.lists(st.text(max_size=5), max_size=3),
    by_name=st.dictionaries(st.text(max_size=4), st.lists(TAGS, max_size=2), max_size=2),
    one=st.none() | TAGS,
    maybe=st.none() | st.lists(TAGS, max_size=3),
    note=st.none() | st.text(max_size=5),
)


def collapse(value: Any) -> Any:
    """Write an answer as the older methods do: lone items without their list, numbers and booleans as text."""
    match value:
        case dict():
            return {key: collapse(item) for key, item in value.items()}
        case [only] if only is not None:
            return collapse(only)
        case list():
            return [collapse(item) for item in value]
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
    return value


@given(ANSWERS)
def test_what_is_written_plainly_is_read_as_it_is(answer: Answer) -> None:
    assert decode(msgspec.json.encode(answer), Answer) == answer


@given(ANSWERS)
def test_lone_items_without_their_list_and_numbers_as_text_are_read_as_what_they_mean(answer: Answer) -> None:
    plain = written(answer)
    assert decode(json.dumps(collapse(plain)).encode(), Answer) == answer


@given(ANSWERS)
def test_empty_lists_in_place_of_objects_and_a_byte_order_mark_change_nothing(answer: Answer) -> None:
    plain = written(answer)
    if not plain["byName"]:
        plain["byName"] = []
    assert decode(b"\xef\xbb\xbf" + json.dumps(plain).encode(), Answer) == answer


@given(ANSWERS, st.sets(st.sampled_from(["rate", "flag", "text", "tags", "words", "byName"])))
def test_null_means_no_value(answer: Answer, nulls: set[str]) -> None:
    plain = written(answer)
    defaults = written(Answer(count=0))
    told = decode(json.dumps({**plain, **dict.fromkeys(nulls)}).encode(), Answer)
    assert told == decode(json.dumps({**plain, **{name: defaults[name] for name in nulls}}).encode(), Answer)


@given(ANSWERS, st.dictionaries(st.text(min_size=9, max_size=12), st.integers() | st.text() | st.none(), max_size=3))
def test_fields_we_do_not_know_are_passed_over(answer: Answer, more: dict[str, Any]) -> None:
    assert decode(json.dumps({**more, **written(answer)}).encode(), Answer) == answer


@given(st.lists(TAGS, max_size=4))
def test_a_top_level_list_may_be_a_lone_object(tags: list[Tag]) -> None:
    plain = json.loads(msgspec.json.encode(tags))
    assert decode(json.dumps(collapse(plain)).encode(), list[Tag]) == tags


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b'{"count":"0"}', Answer(count=0)),
        (b'{"count":1,"rate":"0.0"}', Answer(count=1)),
        (b'{"count":1,"flag":"true"}', Answer(count=1, flag=True)),
        (b'{"count":1,"text":5}', Answer(count=1, text="5")),
        (b'{"count":1,"text":2.5}', Answer(count=1, text="2.5")),
        (b'{"count":1,"note":7}', Answer(count=1, note="7")),
        (b'{"count":1,"words":7}', Answer(count=1, words=["7"])),
        (b'{"count":1,"words":null}', Answer(count=1)),
        (b'{"count":1,"tags":{"id":"5","name":6}}', Answer(count=1, tags=[Tag(5, "6")])),
        (b'{"count":1,"tags":[{"id":5},{"id":"6","name":null}]}', Answer(count=1, tags=[Tag(5), Tag(6)])),
        (b'{"count":1,"maybe":{"id":"5"}}', Answer(count=1, maybe=[Tag(5)])),
        (b'{"count":1,"maybe":null}', Answer(count=1)),
        (b'{"count":1,"one":{"id":"5"}}', Answer(count=1, one=Tag(5))),
        (b'{"count":1,"byName":{"a":{"id":"5"}}}', Answer(count=1, by_name={"a": [Tag(5)]})),
        (b'{"count":1,"words":7,"gone":null}', Answer(count=1, words=["7"], gone=None)),
        (b'{"count":1,"words":7}', Answer(count=1, words=["7"], gone=UNSET)),
        (b'{"count":1,"words":7,"loose":{"a":["1"]}}', Answer(count=1, words=["7"], loose={"a": ["1"]})),
        (b'{"count":1,"words":7,"loose":null}', Answer(count=1, words=["7"])),
        (b'  {"count":1}\n', Answer(count=1)),
    ],
)
def test_a_quirk_is_read_as_what_it_means(content: bytes, wanted: Answer) -> None:
    assert decode(content, Answer) == wanted


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", ""),
        (b"Contacts were detached", "Contacts were detached"),
        (b'"Contact has been updated"\n', "Contact has been updated"),
        (b'"an unfinished quote', '"an unfinished quote'),
        (b"\xef\xbb\xbfdone", "done"),
        (b"caf\xe9", "caf\ufffd"),
        (b'{"a":1}', '{"a":1}'),
        (b'"[\\"a\\"]"', '["a"]'),
    ],
)
def test_a_plain_sentence_is_read_with_and_without_quotes(content: bytes, wanted: str) -> None:
    assert decode(content, str) == wanted


@given(st.binary(max_size=50))
def test_where_nothing_is_promised_the_body_does_not_matter(content: bytes) -> None:
    assert decode(content, NoneType) is None


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf"])
def test_no_body_is_an_object_without_fields_and_nothing_else(content: bytes) -> None:
    assert decode(content, Optional) == Optional()
    for answer in (Answer, list[Tag], int, dict[str, int]):
        with pytest.raises(DecodingError):
            decode(content, answer)


SECRET = "ann@private.example"


@pytest.mark.parametrize(
    "content",
    [
        b'{"count":"%s"}',
        b'{"count":1,"flag":"%s"}',
        b'{"count":1,"tags":"%s"}',
        b'{"count":1,"tags":[{"id":"%s"}]}',
        b'{"count":1,"byName":{"%s":"x"}}',
        b'{"text":"%s"}',
        b'"%s"',
        b"%s",
        b'["%s"]',
        b'{"count":"x","text":"%s\xff"}',
        b'{"count":1,"text":"%s',
        b'{"count":"x","text":"%s", broken',
        b"<html>%s</html>",
    ],
)
def test_what_cannot_be_read_is_said_without_quoting_it(content: bytes) -> None:
    with pytest.raises(DecodingError) as error:
        decode(content.replace(b"%s", SECRET.encode()), Answer)
    assert SECRET not in str(error.value)
    assert str(error.value)


@pytest.mark.parametrize("value", ["true", '{"%s":1}', '["%s"]'])
@pytest.mark.parametrize("name", ["text", "note", "one"])
def test_what_is_not_expected_where_nothing_hangs_on_it_reads_as_no_value_and_is_said(
    name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    decoding._warn.cache_clear()
    content = f'[{{"count":1,"{name}":{value.replace("%s", SECRET)}}},{{"count":2,"{name}":{value}}}]'.encode()
    assert decode(content, list[Answer]) == [Answer(count=1), Answer(count=2)]
    [record] = caplog.records
    assert f"Answer.{name}" in record.getMessage()
    assert SECRET not in record.getMessage()


class Deciding(msgspec.Struct):
    status: str = ""
    offset: str | None = None
    phone: str = ""
    price: float = msgspec.field(name="overdraft_price", default=0.0)


@pytest.mark.parametrize(
    "content", [b'{"status":false}', b'{"status":{"a":1}}', b'{"status":true}', b'{"offset":[1,2]}']
)
def test_what_something_is_decided_by_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(DecodingError):
        decode(content, Deciding)


@pytest.mark.parametrize("value", [b"null", b"false", b'"n/a"', b'""', b'{"a":1}'])
def test_a_price_costs_no_answer(value: bytes) -> None:
    assert decode(b'{"phone":"1","overdraft_price":' + value + b"}", Deciding) == Deciding(phone="1")


@pytest.mark.parametrize("field", ["rate", "text", "tags", "one", "maybe", "byName"])
@pytest.mark.parametrize("nothing", ["false", '""'])
def test_the_nothing_of_php_means_no_value(field: str, nothing: str) -> None:
    content = f'{{"count":1,"{field}":{nothing}}}'.encode()
    assert decode(content, Answer) == Answer(count=1)


@pytest.mark.parametrize("field", sorted(strict_fields.DECIDES | strict_fields.DESCRIBES))
def test_each_field_of_the_decision_is_one_that_a_model_has(field: str) -> None:
    assert field in _FIELDS


def _fields(want: mi.Type, seen: set[type]) -> Iterator[str]:
    if isinstance(want, mi.StructType) and want.cls not in seen:
        seen.add(want.cls)
        for field in want.fields:
            yield field.encode_name
            yield f"{want.cls.__name__}.{field.encode_name}"
            yield from _fields(field.type, seen)
    for inner in (getattr(want, name, ()) for name in ("types", "item_type", "value_type")):
        for option in inner if isinstance(inner, tuple) else (inner,):
            yield from _fields(option, seen)


def _answers() -> Iterator[type]:
    for service in ("esputnik", "sendpulse"):
        package = importlib.import_module(f"{services.__name__}.{service}.api")
        for found in pkgutil.iter_modules(package.__path__):
            for model in vars(importlib.import_module(f"{package.__name__}.{found.name}")).values():
                if isinstance(model, type) and issubclass(model, msgspec.Struct):
                    yield model


def _all_fields() -> Iterator[str]:
    for model in _answers():
        with contextlib.suppress(TypeError):  # one that is only written can have fields that cannot be read
            yield from _fields(mi.type_info(model), set())


_FIELDS = set(_all_fields())


@pytest.mark.parametrize(
    "content",
    [
        b'{"data":[{"id":1}]}',
        b'{"data":{"id":1}}',
        b'{"data":{"result":true,"data":[{"id":1}]}}',
        b'{"data":{"result":true,"data":{"id":1}}}',
    ],
)
def test_one_envelope_or_two_and_a_lone_row_with_or_without_its_list(content: bytes) -> None:
    assert decode(content, One) == One(Tag(1))
    assert decode(content, Many) == Many([Tag(1)])
    assert decode(content, Nested) == Nested(Many([Tag(1)]))


def test_two_objects_are_not_one() -> None:
    with pytest.raises(DecodingError):
        decode(b'[{"id":1},{"id":2}]', Tag)


def test_an_error_names_the_place() -> None:
    with pytest.raises(DecodingError, match=r"\$\.tags\[1\]\.id"):
        decode(b'{"count":1,"tags":[{"id":1},{"id":"x"}]}', Answer)
    with pytest.raises(DecodingError, match="missing required field `count`"):
        decode(b"{}", Answer)


@pytest.mark.parametrize(
    "content",
    [
        b'{"count":"x","loose":' + b"[" * 100_000,
        b'{"count":1,"unknown":' + b"[" * 100_000,
        b'{"count":"x","rate":1e999}',
        b'{"count":"x", oops}',
        b'{"count":"x","text":"\xff"}',
    ],
)
def test_a_body_that_is_broken_behind_its_first_oddity_is_undecodable_too(content: bytes) -> None:
    with pytest.raises(DecodingError):
        decode(content, Answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["count", "tags", "id", "one", "byName", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_either_read_or_undecodable(value: Any) -> None:
    content = json.dumps(value).encode()
    for answer in (Answer, list[Tag], dict[str, Tag], Optional):
        try:
            told = decode(content, answer)
        except DecodingError:
            continue
        again = msgspec.json.encode(told)
        assert decode(again, answer) == told


@given(st.binary(max_size=60))
def test_any_bytes_are_either_read_or_undecodable(content: bytes) -> None:
    assert isinstance(decode(content, str), str)
    for answer in (Answer, list[Tag], Optional):
        with contextlib.suppress(DecodingError):
            assert decode(content, answer) is not None


def test_a_union_that_could_mean_several_things_is_left_to_the_types() -> None:
    assert decode(b'["5"]', list[int | str]) == ["5"]
    assert decode(b'{"a":"x"}', dict[str, Literal["x"] | None]) == {"a": "x"}
    with pytest.raises(DecodingError):
        decode(b'{"a":"y"}', dict[str, Literal["x"] | None])
