"""One tree of errors for everything that can go wrong between us and a service.

The first line of each says what happened, to which method, and what to do next; details follow on lines of
their own. What a service says is redacted first: a message that quotes an address would put it in a log.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_esp.services.call import CallFailed, Kind


class EspError(CallFailed):
    """Anything that went wrong with a call to an email service.

    :ivar service: the service's title, e.g. ``eSputnik``.
    :ivar method: the call in the vendor's words, e.g. ``POST v1/contacts``.
    :ivar status: HTTP status, or None where no answer came.
    :ivar code: the vendor's own error code, or None.
    :ivar request_id: the vendor's id of the request, or None.
    :ivar retry_after: seconds after which trying again makes sense, or None.
    :ivar attempts: how many times the request was sent.
    :ivar outcome_unknown: True where the service may have acted on the request although no success was seen.
    """

    advice = ""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.service: str = facts.get("service", "")
        self.method: str = facts.get("method", "")
        self.status: int | None = facts.get("status")
        self.code: str | None = facts.get("code")
        self.request_id: str | None = facts.get("request_id")
        self.retry_after: float | None = facts.get("retry_after")
        self.attempts: int = facts.get("attempts", 1)
        self.outcome_unknown: bool = facts.get("outcome_unknown", False)
        self.advice = facts.get("advice") or type(self).advice

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.__dict__)

    def __str__(self) -> str:
        subject = " ".join(part for part in (self.service, self.method) if part)
        first = f"{subject}: {self.message}" if subject else self.message
        lines = [f"{first.rstrip('.')}. {self.advice}".strip()]
        facts = {
            "HTTP status": self.status,
            "code": self.code,
            "request id": self.request_id,
            "attempts": self.attempts if self.attempts > 1 else None,
        }
        told = [f"{name} {value}" for name, value in facts.items() if value is not None]
        if self.outcome_unknown:
            told.append("the service may have acted on it all the same")
        return "\n".join([*lines, *([f"  ({', '.join(told)})"] if told else [])])


def _rebuild(kind: type[EspError], message: str, state: dict[str, Any]) -> EspError:
    error = kind(message)
    error.__dict__.update(state)
    return error


class ConnectionFailed(EspError):
    """The request never left: no such host, refused, no TLS."""

    advice = "Check the connection's host, and that this worker may reach it."


class ConnectionLost(EspError):
    """The connection broke before the whole answer was there."""

    advice = "The network or the service broke the connection; try again later."


class TimedOut(EspError):
    """No answer in time; the message names the limit."""

    advice = "The service is slow or hangs; try again later, or raise request_timeout in the connection's extra."


class UnexpectedAnswer(EspError):
    """An answer that is not what the service promises: an HTML page, a redirect, JSON of another shape."""

    advice = "Check the connection's host: something else than the API seems to answer there."


class TaskEnding(EspError):
    """The request was not made, because Airflow ends the task."""

    advice = "A retry of the task goes on."


class Refused(EspError):
    """The service answered, and the answer is no."""


class Unauthenticated(Refused):
    """The credential is wrong, expired or switched off (401)."""

    advice = "Check the credentials in the Airflow connection."


class PermissionDenied(Refused):
    """The credential is good, but not for this (403)."""

    advice = "Give the API key or application the right for this method, in the service's own settings."


class RightMissing(PermissionDenied):
    """The connection says that its application has no right to what a task is about to do; nothing was sent."""


class NotFound(Refused):
    """The thing does not exist (404)."""

    advice = "Check the id; it may belong to another account."


class InvalidRequest(Refused):
    """The service does not accept the arguments."""

    advice = "Correct what it names; sending the same again will fail the same way."


class DuplicateRequest(Refused):
    """The same request was made within the last minute (409), and not by an earlier attempt of this call."""

    advice = "Wait a minute before repeating it; the first one was accepted."


class SwitchedOff(Refused):
    """The method has to be switched on for the account."""

    advice = "Ask the service's support to switch it on for your account."


class QuotaExceeded(Refused):
    """The account's money or plan does not cover it."""

    advice = "Top up the balance or change the plan in the service's own settings."


class RateLimited(Refused):
    """Too many requests (429), and waiting as long as allowed did not help."""

    advice = "Lower rate_share or the bucket in the connection's extra, or run fewer tasks at once."


class ServerFailed(Refused):
    """The service itself failed (5xx)."""

    advice = "Nothing is wrong with the request; try again later."


BY_KIND: dict[Kind, type[EspError]] = {
    Kind.UNAUTHENTICATED: Unauthenticated,
    Kind.FORBIDDEN: PermissionDenied,
    Kind.NOT_FOUND: NotFound,
    Kind.INVALID: InvalidRequest,
    Kind.DUPLICATE: DuplicateRequest,
    Kind.RATE_LIMITED: RateLimited,
    Kind.SWITCHED_OFF: SwitchedOff,
    Kind.QUOTA: QuotaExceeded,
    Kind.SERVER: ServerFailed,
    Kind.UNEXPECTED: UnexpectedAnswer,
}
