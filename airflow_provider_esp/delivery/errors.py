"""What can be wrong with the work itself, as opposed to a single call: sources, columns, too many refusals."""

from __future__ import annotations


class DeliveryError(Exception):
    """The work cannot go on; the message says what to change."""


class SourceError(DeliveryError):
    """The rows cannot be read: no such file, not UTF-8, a broken line."""


class ColumnError(DeliveryError):
    """The columns of the source are not what the task was told."""


class EmptySource(DeliveryError):
    """The source has no rows."""


class TooManyRejects(DeliveryError):
    """More rows were refused than ``max_rejects`` allows; everything else was done."""


class SendOutcomeUnknown(DeliveryError):
    """A send may or may not have reached its recipients, and is not repeated by itself."""


class PlaceUnwritable(DeliveryError, OSError):
    """A report, a copy or a ledger cannot be written where the author wants it; another try may go well."""


class AudienceChanged(DeliveryError):
    """The rows before the place where the last try stopped are not the same any more."""


class SourceChanged(DeliveryError):
    """The rows that an upload has behind it are not the same any more, so it has to start over."""


class LedgerUnreadable(DeliveryError):
    """What is kept of an earlier try cannot be read, so nobody can tell what was sent."""


class SendTakenOver(DeliveryError):
    """A later try of the same task sends now, so this one sends nothing more."""


class TaskStopped(DeliveryError):
    """Airflow ends the task while it sends, uploads or waits; what is known is written down, and a retry goes on."""


class LedgerOfAnotherTask(DeliveryError):
    """The ledger that a task was given is another task's."""


class AlreadySent(DeliveryError):
    """This run has sent its messages before."""


class BroadcastOutcomeUnknown(DeliveryError):
    """A broadcast may or may not have been created, and is not created again by itself."""


class BroadcastFailed(DeliveryError):
    """The service says that a broadcast failed."""


class BroadcastNeedsPerson(DeliveryError):
    """A broadcast goes on only when somebody acts at the service, and the author does not want to wait for that."""


class ExportError(DeliveryError):
    """What was asked for cannot be written to a file."""


class ImportFailed(DeliveryError):
    """The service says that an import failed."""


class Refused(ValueError):
    """A row cannot be sent as it is; the message is the reason and quotes no value."""


class TooManyRecipients(DeliveryError):
    """The audience is larger than ``max_recipients`` allows; nothing was sent."""


class WouldWrite(DeliveryError):
    """A dry run came to a call that writes, in a place that is not made for dry runs; it was not made."""


class SendTooLate(DeliveryError):
    """The run comes later than ``max_lateness`` allows, or is a backfill that may not send; nothing was sent."""


class OutsideSendWindow(DeliveryError):
    """It is not an hour in which ``send_window`` lets something be sent."""


class StartInPast(DeliveryError):
    """The start of a broadcast is further in the past than ``start_grace`` allows; nothing was created."""


class BalanceTooLow(DeliveryError):
    """The account cannot pay for a send; nothing was sent."""


class SendWindowClosed(Exception):
    """The send window has closed while a send was under way; what was not sent is sent when it opens again."""
