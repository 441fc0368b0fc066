"""Which failures a retry is of use for, and when it comes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_esp import exceptions
from airflow_provider_esp.exceptions import (
    ConnectionInvalid,
    ObjectNotFound,
    SourceInterrupted,
    TooManyRejects,
    Unsupported,
    is_final,
)
from airflow_provider_esp.policies.retry import HAS_POLICIES, EspRetryPolicy, final_errors, retry_arguments
from airflow_provider_esp.utils.redaction import redact

FINAL = [
    exceptions.Unauthenticated("the key is wrong"),
    exceptions.PermissionDenied("no right"),
    exceptions.ScopeMissing("no right"),
    exceptions.InvalidRequest("the subject is empty"),
    exceptions.NotFound("no such message"),
    exceptions.MethodDisabled("not switched on"),
    exceptions.QuotaExceeded("no money"),
    exceptions.DuplicateRequest("again"),
    ConnectionInvalid("eSputnik", "give a key"),
    ObjectNotFound("no such segment"),
    Unsupported("SendPulse", "do that"),
    TooManyRejects("2 of 3 rows"),
    ValueError("batch_size"),
]
PASSING = [
    exceptions.RateLimited("slow down", retry_after=7.0),
    exceptions.RateLimited("slow down"),
    exceptions.ServerFailed("down", retry_after=120.0),
    exceptions.ServerFailed("down"),
    exceptions.ConnectionFailed("no such host"),
    exceptions.ConnectionLost("broken"),
    exceptions.TimedOut("60 s"),
    SourceInterrupted("the database went away"),
    RuntimeError("anything else"),
]
needs_policies = pytest.mark.skipif(not HAS_POLICIES, reason="Airflow has retry policies since 3.3")


def name(error: BaseException) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", FINAL, ids=name)
def test_what_a_retry_would_meet_again_fails_at_once_on_every_version(error: Exception) -> None:
    assert is_final(error)
    with pytest.raises(AirflowFailException) as caught, final_errors():
        raise error
    assert str(caught.value) == str(error)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", PASSING, ids=name)
def test_what_may_pass_is_left_to_the_retries(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, final_errors():
        raise error
    assert caught.value is error


def test_a_task_function_may_be_decorated() -> None:
    @final_errors()
    def work() -> None:
        raise exceptions.Unauthenticated("the key is wrong")

    with pytest.raises(AirflowFailException):
        work()


@needs_policies
@pytest.mark.parametrize("error", FINAL, ids=name)
def test_the_policy_fails_at_once_what_a_retry_would_meet_again(error: Exception) -> None:
    decision = EspRetryPolicy().evaluate(error, 1, 3)
    assert (decision.action.value, decision.reason) == ("fail", str(error).splitlines()[0])


@needs_policies
@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (exceptions.RateLimited("slow down", retry_after=7.0), timedelta(seconds=7)),
        (exceptions.ServerFailed("down", retry_after=120.0), timedelta(minutes=2)),
        (exceptions.RateLimited("slow down", retry_after=1e9), timedelta(days=1)),
    ],
)
def test_the_policy_waits_what_the_service_says(error: Exception, delay: timedelta) -> None:
    decision = EspRetryPolicy().evaluate(error, 1, 3)
    assert (decision.action.value, decision.retry_delay) == ("retry", delay)


@needs_policies
@pytest.mark.parametrize("error", [error for error in PASSING if not getattr(error, "retry_after", None)], ids=name)
def test_the_policy_leaves_the_rest_to_the_task(error: Exception) -> None:
    assert EspRetryPolicy().evaluate(error, 1, 3).action.value == "default"


@needs_policies
def test_the_reason_that_airflow_keeps_quotes_no_address() -> None:
    refused = exceptions.InvalidRequest(redact("'ann@example.com' is not valid email"))
    reason = EspRetryPolicy().evaluate(refused, 1, 3).reason
    assert reason is not None
    assert "ann@" not in reason
    assert "[address]" in reason


def test_arguments_for_every_version_hold_the_policy_where_there_are_policies() -> None:
    arguments = retry_arguments(5, retry_delay=timedelta(minutes=1))
    assert (arguments.pop("retries"), arguments.pop("retry_delay")) == (5, timedelta(minutes=1))
    assert set(arguments) == ({"retry_policy"} if HAS_POLICIES else set())


@pytest.mark.skipif(HAS_POLICIES, reason="this Airflow has retry policies")
def test_before_airflow_3_3_the_policy_says_what_to_use_instead() -> None:
    with pytest.raises(RuntimeError, match=r"retry_arguments\(\)"):
        EspRetryPolicy()
