"""Every exception of this package, with one root: `EspException`.

Each class says whether another try may succeed (`transient`); `is_final` is the one place that is asked. The first line
of a message says what happened, to which method, and what to do next. What a service says is redacted before.
"""

from __future__ import annotations

from typing import Any, ClassVar


class EspException(Exception):
    """The root of all exceptions of this package; `transient` says whether the same task may succeed later."""

    transient: ClassVar[bool] = False


def is_final(error: BaseException) -> bool:
    """Check whether another try would meet an error again.

    :returns: for exceptions of this package what their class says; True for wrong values and types.
    """
    return not error.transient if isinstance(error, EspException) else isinstance(error, ValueError | TypeError)


def headline(error: BaseException) -> str:
    """Return the first line of an error, or the name of its class where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class EspError(EspException):
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

    transient = True
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

    def __str__(self) -> str:
        subject = " ".join(part for part in (self.service, self.method) if part)
        first = f"{f'{subject}: ' if subject else ''}{self.message}".rstrip(".") + f". {self.advice}".rstrip()
        facts = {"HTTP status": self.status, "code": self.code, "request id": self.request_id}
        details = [f"{name} {value}" for name, value in facts.items() if value is not None]
        details += [f"attempts {self.attempts}"] if self.attempts > 1 else []
        details += ["the service may have acted on it all the same"] if self.outcome_unknown else []
        return f"{first}\n  ({', '.join(details)})" if details else first


class ConnectionFailed(EspError):
    """The request never left: no such host, refused, no TLS."""

    advice = "Check the connection's host, and that this worker may reach it."


class ConnectionLost(EspError):
    """The connection broke before the whole answer was there."""

    advice = "The network or the service broke the connection; try again later."


class TimedOut(EspError):
    """No answer in time; the message names the limit."""

    advice = "The service is slow or hangs; try again later, or raise request_timeout in the connection's extra."


class UnexpectedResponse(EspError):
    """An answer that is not what the service promises: an HTML page, a redirect, JSON of another shape."""

    advice = "Check the connection's host: the host does not appear to be the API."


class TaskEnding(EspError):
    """The request was not made, because Airflow ends the task."""

    advice = "A retry of the task goes on."


class Refused(EspError):
    """The service answered, and the answer is no."""

    transient = False


class Unauthenticated(Refused):
    """The credential is wrong, expired or switched off (401)."""

    advice = "Check the credentials in the Airflow connection."


class PermissionDenied(Refused):
    """Authenticated, but not authorised for this method (403)."""

    advice = "Give the API key or application the right for this method, in the service's own settings."


class ScopeMissing(PermissionDenied):
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


class MethodDisabled(Refused):
    """The method has to be switched on for the account."""

    advice = "Ask the service's support to switch it on for your account."


class QuotaExceeded(Refused):
    """The account's money or plan does not cover it."""

    advice = "Top up the balance or change the plan in the service's own settings."


class RateLimited(Refused):
    """Too many requests (429), and waiting as long as allowed did not help."""

    transient = True
    advice = "Lower rate_share or the bucket in the connection's extra, or run fewer tasks at once."


class ServerFailed(Refused):
    """The service itself failed (5xx)."""

    transient = True
    advice = "Nothing is wrong with the request; try again later."


class TokenError(EspError):
    """Something is wrong with an account's tokens, or with where they are kept."""

    transient = False


class ConsentRequired(TokenError):
    """There is no token, or none that can be refreshed: a person has to consent (again)."""


class GrantRefused(TokenError):
    """The server does not take a code or a refresh token (``invalid_grant``): used before, revoked or expired."""


class ApplicationRefused(TokenError):
    """The server does not take the application: its id, secret or callback."""

    advice = 'Compare id, secret and redirect address in the connection with the registration ("For partners").'


class TokensUnreadable(TokenError):
    """What is kept is no record of tokens."""

    advice = "It was changed, or written by another program: delete it with `revoke`, then authorize again."


class StoreUnusable(TokenError):
    """The place that keeps tokens cannot be used as it is; the message says what to change."""


class StoreShadowed(TokenError):
    """What was written is not what is read: something else answers in the store's place."""


class RefreshTimeout(TokenError):
    """Another process has been renewing the tokens for longer than anybody waits."""

    transient = True
    advice = "Try again; if it stays so, look for a process that hangs while it refreshes."


class CallbackRefused(TokenError):
    """What came to the callback is no answer to the question that was asked."""

    advice = "Begin again with the address that the command prints."


class ConsentDenied(TokenError):
    """The person, or the server in their place, said no."""


class TokensExpiring(EspException):
    """Connections whose tokens could not be refreshed; one line for each says how long it still works."""


class ConnectionInvalid(EspException, ValueError):
    """An Airflow connection cannot be used as it is; one sentence that says what to change.

    :param title: the connection type as people call it.
    :param problem: what is wrong with it.
    """

    def __init__(self, title: str, problem: str) -> None:
        super().__init__(f"The {title} connection cannot be used: {problem}.")


class Unsupported(EspException):
    """A service cannot do what was asked; the message names the service and the feature."""

    def __init__(self, service: str, feature: str, instead: str = "") -> None:
        super().__init__(f"{service} cannot {feature}." + (f" {instead}" if instead else ""))


class ObjectNotFound(EspException, LookupError):
    """The author named something that the account does not have; the message says what, and what to do."""


class LedgerUnsafe(EspException):
    """Nothing here would remember what was sent; the message says what to change."""


class InvalidValue(EspException, ValueError):
    """A row cannot be sent as it is; the message is the reason and quotes no value."""


class CountryCodeMissing(InvalidValue):
    """A phone number without country code, of which nothing says the country."""


class TaskError(EspException):
    """The work cannot go on; the message says what to change."""


class SourceError(TaskError):
    """The rows cannot be read: no such file, not UTF-8, a broken line."""


class SourceInterrupted(SourceError):
    """The database went away or would not answer; the next try may find it well."""

    transient = True


class ColumnError(TaskError):
    """The columns of the source are not what the task was told."""


class EmptySource(TaskError):
    """The source has no rows."""


class TooManyRejects(TaskError):
    """More rows were refused than ``max_rejects`` allows; everything else was done."""


class SendOutcomeUnknown(TaskError):
    """A send may or may not have reached its recipients, and is not repeated by itself."""


class StorageUnwritable(TaskError, OSError):
    """A report, a copy or a ledger cannot be written where the author wants it; another try may go well."""

    transient = True


class AudienceChanged(TaskError):
    """The rows before the place where the last try stopped are not the same any more."""


class SourceChanged(TaskError):
    """The rows that an upload has behind it are not the same any more, so it has to start over."""


class LedgerUnreadable(TaskError):
    """What is kept of an earlier try cannot be read, so it is unknown what was sent."""


class SendTakenOver(TaskError):
    """A later try of the same task sends now, so this one sends nothing more."""


class SendKeyTaken(TaskError):
    """Another task sends under the same ``send_key``; when it has ended, another try may send."""

    transient = True


class TaskStopped(TaskError):
    """Airflow ends the task while it sends, uploads or waits; what is known is written down, and a retry goes on."""

    transient = True


class LedgerMismatch(TaskError):
    """The ledger that a task was given is another task's."""


class AlreadySent(TaskError):
    """This run has sent its messages before."""


class BroadcastOutcomeUnknown(TaskError):
    """A broadcast may or may not have been created, and is not created again by itself."""


class BroadcastFailed(TaskError):
    """The service says that a broadcast failed."""


class BroadcastActionRequired(TaskError):
    """A broadcast requires manual action in the service, and the author does not want to wait for that."""


class ExportError(TaskError):
    """What was asked for cannot be written to a file."""


class TooManyRecipients(TaskError):
    """The audience is larger than ``max_recipients`` allows; nothing was sent."""


class DryRunWrite(TaskError):
    """A dry run came to a call that writes, in a place that is not made for dry runs; it was not made."""


class SendTooLate(TaskError):
    """The run comes later than ``max_lateness`` allows, or is a backfill that may not send; nothing was sent."""


class OutsideSendWindow(TaskError):
    """It is not an hour in which ``send_window`` lets something be sent."""


class StartInPast(TaskError):
    """The start of a broadcast is further in the past than ``start_grace`` allows; nothing was created."""


class BalanceTooLow(TaskError):
    """The account cannot pay for a send; nothing was sent."""


class SendWindowClosed(EspException):
    """The send window has closed while a send was under way; what was not sent is sent when it opens again."""

    transient = True


class PagingFault(EspException, RuntimeError):
    """A list cannot be read to its end: the service repeats itself instead of going on."""

    transient = True


class RateLimitTimeout(EspException):
    """The limits admit no request within the caller's patience."""

    transient = True


class BodyRefused(EspException):
    """The body of an answer cannot be used; the message says why and quotes nothing of it."""

    transient = True


class BodyTooLarge(BodyRefused):
    """The body is larger than the call allows."""


class UnusableProxy(EspException):
    """The environment names a proxy that the asynchronous client cannot use."""


class DecodingError(EspException, ValueError):
    """An answer that is not what the vendor promises; the message never quotes its values."""
