"""The life of a request, driven by hand: no socket, no clock, no sleep."""

from __future__ import annotations

import datetime
import email.utils
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import certifi
import msgspec
import pytest

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Bucket, Call, Flow, Kind, Page, Pages, Refusal, Service
from airflow_provider_esp.core.transport import network
from airflow_provider_esp.core.transport.account import Account, Credential
from airflow_provider_esp.core.transport.exchange import (
    BY_KIND,
    FlowRunner,
    Refresh,
    Response,
    Send,
    TransportFailure,
    Wait,
    perform,
    perform_pages,
)
from airflow_provider_esp.core.transport.retry import RetryPolicy
from airflow_provider_esp.core.transport.throttle import Throttle
from airflow_provider_esp.core.transport.tokens import Token, TokenSource
from airflow_provider_esp.exceptions import DecodingError
from airflow_provider_esp.utils.redaction import hide_secrets, redact


class Reply(msgspec.Struct):
    id: int


KINDS = {
    401: Kind.UNAUTHENTICATED,
    404: Kind.NOT_FOUND,
    409: Kind.DUPLICATE,
    429: Kind.RATE_LIMITED,
    500: Kind.SERVER,
}


def refusal(status: int, headers: object, content: bytes) -> Refusal | None:
    return Refusal(KINDS[status], content.decode()) if status in KINDS else None


TOY = Service("toy", "Toy", "https://toy.example", refusal, ("x-request-id",))
BUCKET = Bucket("toy.default", 1000)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def account(clock: Clock | None = None, credential: Credential | None = None, **retry: Any) -> Account:
    clock = clock or Clock()
    return Account(
        TOY, "https://toy.example", credential or Credential(header="Basic x"), Throttle(clock=clock),
        RetryPolicy(**retry), clock=clock,
    )  # fmt: skip


def call(**facts: Any) -> Call[Reply]:
    return Call("toy", facts.pop("method", "POST"), "things", Reply, buckets=(BUCKET,), **facts)


OK = Response(200, {}, b'{"id": 7}')


class Driver:
    """Answers each request with the next of the given outcomes, and moves the clock by every wait."""

    def __init__(self, clock: Clock, *outcomes: Response | TransportFailure) -> None:
        self.clock = clock
        self.outcomes = list(outcomes)
        self.sent: list[Any] = []
        self.waits: list[float] = []
        self.rows: list[Any] = []

    def drive(self, steps: Generator[Any, Any, Any]) -> Any:
        run = FlowRunner(steps)
        while run.step is not None:
            match run.step:
                case Wait(seconds):
                    self.waits.append(seconds)
                    self.clock.now += seconds
                    run.tell(None)
                case Send(request):
                    self.sent.append(request)
                    run.tell(self.outcomes.pop(0))
                case Refresh(tokens, stale):
                    run.tell(tokens.renew(stale).result())
                case Page(rows):
                    self.rows.extend(rows)
                    run.tell(None)
        return run.answer


def run(work: Any, *outcomes: Response | TransportFailure, **retry: Any) -> tuple[Any, Driver]:
    clock = Clock()
    driver = Driver(clock, *outcomes)
    return driver.drive(perform(work, account(clock, **retry))), driver


LOST = TransportFailure(exceptions.ConnectionLost, "broke", sent=True)
NEVER_SENT = TransportFailure(exceptions.ConnectionFailed, "refused", sent=False)


def test_an_answer_is_decoded_into_the_calls_type() -> None:
    answer, driver = run(call(), OK)
    assert answer == Reply(7)
    assert driver.sent[0].url == "https://toy.example/things"
    assert driver.sent[0].headers["Authorization"] == "Basic x"


def test_an_unauthorised_call_sends_no_credential() -> None:
    _, driver = run(call(authorised=False), OK)
    assert "Authorization" not in driver.sent[0].headers


def test_a_call_that_may_not_be_repeated_is_sent_once_when_its_answer_is_lost() -> None:
    with pytest.raises(exceptions.ConnectionLost) as caught:
        run(call(repeatable=False), LOST)
    assert caught.value.outcome_unknown
    assert "may have acted on it" in str(caught.value)


@pytest.mark.parametrize("failure", [LOST, Response(500, {}, b"")])
def test_a_repeatable_call_is_sent_again(failure: Response | TransportFailure) -> None:
    answer, driver = run(call(repeatable=True), failure, failure, OK)
    assert answer == Reply(7)
    assert len(driver.sent) == 3


@pytest.mark.parametrize("failure", [NEVER_SENT, Response(429, {}, b"")])
def test_what_the_service_did_not_act_on_is_sent_again_for_any_call(failure: Response | TransportFailure) -> None:
    answer, driver = run(call(repeatable=False), failure, OK)
    assert answer == Reply(7)
    assert len(driver.sent) == 2


def test_attempts_end() -> None:
    with pytest.raises(exceptions.ServerFailed) as caught:
        run(call(repeatable=True), *[Response(500, {}, b"")] * 3, attempts=3)
    assert caught.value.attempts == 3


def test_retry_after_is_obeyed() -> None:
    _, driver = run(call(), Response(429, {"retry-after": "17"}, b""), OK)
    assert sum(driver.waits) >= 17


def test_patience_ends_a_storm_of_refusals() -> None:
    with pytest.raises(exceptions.RateLimited):
        run(call(), *[Response(429, {"retry-after": "50"}, b"")] * 5, patience=120)


def test_a_refusal_is_final_and_says_what_to_do() -> None:
    with pytest.raises(exceptions.NotFound) as caught:
        run(call(repeatable=True), Response(404, {"x-request-id": "r-1"}, b"no thing for ann@example.com"))
    text = str(caught.value)
    assert text.startswith("Toy POST things: not found: no thing for [address].")
    assert "Check the id" in text
    assert "request id r-1" in text
    assert not caught.value.outcome_unknown


def test_an_answer_of_another_shape_is_named_without_its_values() -> None:
    with pytest.raises(exceptions.UnexpectedResponse) as caught:
        run(call(), Response(200, {}, b'{"id": "ann@example.com"}'))
    assert "ann@" not in str(caught.value)
    assert caught.value.outcome_unknown


def test_a_call_of_another_service_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(exceptions.InvalidRequest, match="connection of type other"):
        run(Call("other", "GET", "x", Reply))


def tokens(*values: str) -> tuple[TokenSource, list[Token | None]]:
    asked: list[Token | None] = []
    left = list(values)

    def fetch(stale: Token | None) -> Token:
        asked.append(stale)
        return Token(left.pop(0), issued_at=0, expires_at=1e12)

    return TokenSource(fetch), asked


def test_a_refused_token_is_renewed_once_and_the_request_replayed() -> None:
    source, asked = tokens("old", "new")
    clock = Clock()
    driver = Driver(clock, Response(401, {}, b""), OK)
    assert driver.drive(perform(call(), account(clock, Credential(tokens=source)))) == Reply(7)
    assert [request.headers["Authorization"] for request in driver.sent] == ["Bearer old", "Bearer new"]
    assert len(asked) == 2


def test_a_second_401_is_final() -> None:
    source, _ = tokens("old", "new", "newest")
    clock = Clock()
    driver = Driver(clock, Response(401, {}, b""), Response(401, {}, b""))
    with pytest.raises(exceptions.Unauthenticated):
        driver.drive(perform(call(), account(clock, Credential(tokens=source))))
    assert len(driver.sent) == 2


def test_a_flow_is_given_answers_and_may_deal_with_errors() -> None:
    def flow() -> Flow[list[int]]:
        first = yield from call()
        try:
            yield from call(method="GET")
        except exceptions.NotFound:
            return [first.id, -1]
        return []

    answer, _ = run(flow(), OK, Response(404, {}, b""))
    assert answer == [7, -1]


def test_a_409_after_our_own_lost_attempt_counts_as_accepted() -> None:
    def look_up() -> Flow[Reply]:
        return (yield from call(method="GET"))

    answer, driver = run(call(repeatable=True, when_done=look_up), LOST, Response(409, {}, b""), OK)
    assert answer == Reply(7)
    assert [request.method for request in driver.sent] == ["POST", "POST", "GET"]


def test_a_409_on_the_first_attempt_is_an_error() -> None:
    with pytest.raises(exceptions.DuplicateRequest):
        run(call(repeatable=True, when_done=lambda: iter(())), Response(409, {}, b""))


def test_pages_hand_rows_out_as_they_come() -> None:
    def pages() -> Pages[int]:
        for _ in range(2):
            reply = yield from call(method="GET")
            yield Page([reply.id, reply.id + 1])

    clock = Clock()
    driver = Driver(clock, OK, OK)
    driver.drive(perform_pages(pages(), account(clock)))
    assert driver.rows == [7, 8, 7, 8]


def test_errors_survive_pickling() -> None:
    import pickle

    error = exceptions.NotFound("no", service="Toy", method="GET x", status=404)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert str(again) == str(error)
    assert type(again) is exceptions.NotFound


def test_every_kind_of_refusal_has_its_error() -> None:
    assert set(BY_KIND) == set(Kind)
    assert all(kind.advice for kind in BY_KIND.values())


# -- what is known of a request's outcome --

GET_OK = Response(200, {}, b'{"id": 1}')


def test_an_attempt_that_was_lost_is_not_forgotten_by_a_later_refusal() -> None:
    with pytest.raises(exceptions.NotFound) as caught:
        run(call(repeatable=True), LOST, Response(404, {}, b""))
    assert caught.value.outcome_unknown
    assert caught.value.attempts == 2


def test_an_attempt_that_was_lost_is_not_forgotten_where_the_rate_limit_leaves_no_place() -> None:
    hour = Bucket("toy.hour", 1, 3600)
    with pytest.raises(exceptions.RateLimited, match=r"no capacity within 600 s: toy.hour \(1 in 3600 s\)") as caught:
        run(Call("toy", "POST", "things", Reply, buckets=(hour,), repeatable=True), LOST)
    assert caught.value.outcome_unknown


def test_an_attempt_that_was_lost_is_not_forgotten_where_its_answer_cannot_be_looked_up() -> None:
    def look_up() -> Flow[Reply]:
        return (yield from call(method="GET"))

    with pytest.raises(exceptions.NotFound) as caught:
        run(call(repeatable=True, when_done=look_up), LOST, Response(409, {}, b""), Response(404, {}, b""))
    assert caught.value.outcome_unknown


def failing_tokens(error: exceptions.EspError, *values: str) -> TokenSource:
    left = list(values)

    def fetch(stale: Token | None) -> Token:
        if not left:
            raise error
        return Token(left.pop(0), issued_at=0, expires_at=1e12)

    return TokenSource(fetch)


@pytest.mark.parametrize("first", [None, LOST])
def test_a_token_that_cannot_be_had_says_nothing_of_the_request_itself(first: TransportFailure | None) -> None:
    shared = exceptions.ConnectionLost("the token server broke off", outcome_unknown=True)
    source = failing_tokens(shared, *["old"] * (first is not None))
    outcomes: list[Response | TransportFailure] = [] if first is None else [first, Response(401, {}, b"")]
    clock = Clock()

    class Failing(Driver):
        def drive(self, steps: Generator[Any, Any, Any]) -> Any:
            def with_errors() -> Generator[Any, Any, Any]:
                step = next(steps)
                while True:
                    if isinstance(step, Refresh):
                        try:
                            token = step.tokens.renew(step.stale).result()
                        except exceptions.EspError as error:
                            step = steps.throw(error)
                        else:
                            step = steps.send(token)
                    else:
                        step = steps.send((yield step))

            return super().drive(with_errors())

    driver = Failing(clock, *outcomes)
    with pytest.raises(exceptions.ConnectionLost) as caught:
        driver.drive(perform(call(repeatable=True), account(clock, Credential(tokens=source))))
    assert caught.value.outcome_unknown == (first is not None)
    assert caught.value is not shared
    assert shared.outcome_unknown


def test_a_token_is_fetched_before_the_turn_and_not_while_it_passes() -> None:
    clock = Clock()
    shared = account(clock, Credential(tokens=tokens("t")[0]))
    for _ in range(3):
        Driver(clock, OK).drive(perform(call(authorised=False), shared))
    steps = perform(call(), shared)
    assert [type(next(steps))] == [Refresh]


# -- answers that make no sense --


def test_what_a_flow_cannot_make_sense_of_after_a_write_was_carried_out_all_the_same() -> None:
    def flow() -> Flow[int]:
        reply = yield from call()
        raise ValueError(f"{reply.id} for ann@example.com is no answer")

    with pytest.raises(exceptions.UnexpectedResponse) as caught:
        run(flow(), OK)
    assert caught.value.outcome_unknown
    assert "[address]" in str(caught.value)
    assert "POST things" in str(caught.value)


def test_what_a_flow_learns_by_reading_may_be_the_authors_mistake() -> None:
    def flow() -> Flow[int]:
        reply = yield from call(method="GET")
        raise ValueError(f"there is no list {reply.id}")

    with pytest.raises(ValueError, match="there is no list 1") as caught:
        run(flow(), GET_OK)
    assert not isinstance(caught.value, exceptions.EspError)


def test_a_flow_that_refuses_before_its_first_call_has_sent_nothing() -> None:
    def flow() -> Flow[int]:
        raise ValueError("too long")
        yield from call()

    with pytest.raises(ValueError, match="too long"):
        run(flow())


def test_an_answer_read_without_sense_is_no_doubt_about_a_write() -> None:
    def flow() -> Flow[int]:
        yield from call(method="GET")
        raise DecodingError("the total is negative")

    with pytest.raises(exceptions.UnexpectedResponse, match="makes no sense: the total is negative") as caught:
        run(flow(), GET_OK)
    assert not caught.value.outcome_unknown


def test_a_flow_is_closed_when_it_is_left() -> None:
    closed = []

    def flow() -> Flow[int]:
        try:
            yield from call()
        finally:
            closed.append(True)
        return 0

    with pytest.raises(exceptions.NotFound):
        run(flow(), Response(404, {}, b""))
    assert closed == [True]


# -- rate limits --


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("17", 17, 18),
        (" 2.5 ", 2.5, 4),
        ("0", 1, 2),
        ("-5", 1, 2),
        ("", 1, 2),
        ("soon", 1, 2),
        ("\u00b2", 1, 2),
        ("nan", 1, 2),
        ("inf", 1, 2),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 1, 2),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 1, 2),
    ],
)
def test_retry_after_is_read_in_every_spelling_and_nonsense_is_not_believed(
    value: str, least: float, most: float
) -> None:
    _, driver = run(call(), Response(429, {"retry-after": value}, b""), OK)
    assert least - 1e-6 <= sum(driver.waits) <= most


def test_retry_after_may_be_a_date() -> None:
    date = email.utils.format_datetime(
        datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30), usegmt=True
    )
    _, driver = run(call(), Response(429, {"retry-after": date}, b""), OK)
    assert 28 <= sum(driver.waits) <= 32


def test_a_429_holds_back_others_who_share_the_bucket() -> None:
    clock = Clock()
    shared = account(clock)
    refused = FlowRunner(perform(call(), shared))
    refused.tell(Response(429, {"retry-after": "20"}, b""))
    other = FlowRunner(perform(call(), shared))
    assert isinstance(other.step, Wait)
    assert other.step.seconds == pytest.approx(20)


def test_whoever_waits_when_a_429_comes_to_another_waits_for_it_as_well() -> None:
    clock = Clock()
    shared = account(clock)
    first, second = FlowRunner(perform(call(), shared)), FlowRunner(perform(call(), shared))
    assert isinstance(first.step, Send)
    assert isinstance(second.step, Wait)
    first.tell(Response(429, {"retry-after": "20"}, b""))
    clock.now += second.step.seconds
    second.tell(None)
    assert isinstance(second.step, Wait)
    assert second.step.seconds == pytest.approx(20, abs=0.1)


# -- what errors say --


def test_a_services_own_words_lose_addresses_and_numbers_and_are_shortened() -> None:
    said = redact("  ann@example.com\n(+38 050 123-45-67)   is blocked " + "x" * 500)
    assert said.startswith("[address] ([number]) is blocked xxx")
    assert len(said) == 300
    assert said.endswith("…")


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "1" * 10**6, "1." * 10**6, "a@" * 10**6, " " * 10**6, "<p>x</p>" * 10**6]
)
def test_a_whole_page_is_shortened_at_once(text: str) -> None:
    began = time.thread_time()
    assert len(redact(text)) <= 300
    assert time.thread_time() - began < 1


def test_an_address_that_is_cut_in_two_does_not_show() -> None:
    text = " ".join(f"{'long' * 24}{number:03}@example.com" for number in range(100))
    assert "long" not in redact(text)


@pytest.mark.parametrize("told", [str, str.upper, str.title, lambda secret: secret.replace("i", "\u0131")])
def test_a_secret_is_found_whatever_its_case_however_many_are_known(told: Callable[[str], str]) -> None:
    hide_secrets(*(f"kept-in-mind-{number:03}" for number in range(100)))
    assert redact(f"no {told('kept-in-mind-007')}, but kept-in-mind") == "no [secret], but kept-in-mind"


def test_one_secret_within_another_leaves_no_rest() -> None:
    hide_secrets("a-secret-of-two", "a-secret-of-two-parts")
    assert redact("a-secret-of-two-parts and a-secret-of-two") == "[secret] and [secret]"


def test_certificates_are_read_once_and_again_when_they_were_written_anew(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(Path(certifi.where()).read_bytes())
    trusting = replace(account(), ca_bundle=str(bundle))
    first = network.certificates(trusting)
    assert network.certificates(trusting) is first
    assert len(first.get_ca_certs()) > 50
    with bundle.open("a") as file:
        file.write("\n")
    assert network.certificates(trusting) is not first


def test_an_error_says_what_is_known_of_it() -> None:
    error = exceptions.ServerFailed(
        "down.", service="Toy", method="GET x", status=503, code="7", request_id="r", attempts=3
    )
    assert str(error) == (
        "Toy GET x: down. Nothing is wrong with the request; try again later.\n"
        "  (HTTP status 503, code 7, request id r, attempts 3)"
    )
    assert str(exceptions.ServerFailed("down")) == "down. Nothing is wrong with the request; try again later."
    assert str(exceptions.EspError("down", advice="Wait.")) == "down. Wait."
