"""What the service says of campaigns, and the codes it has for their recipients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_esp.services.sendpulse.api._request import Quiet

RECIPIENT_STATUS: Mapping[int, str] = {
    0: "in queue",
    1: "sent",
    2: "delivered",
    3: "opened",
    4: "link redirected",
    5: "unsubscribed",
    6: "no such address",
    7: "temporarily unavailable",
    8: "unavailable",
    9: "rejected as spam",
    10: "mailbox full",
    11: "marked as spam",
    12: "delivery failure",
    16: "invalid address",
    17: "temporarily blocked",
    18: "disabled by the administrator",
    20: "already unsubscribed",
}
"""What a campaign did with one address, by `RecipientResult.global_status` or `detail_status`."""


class CampaignMade(msgspec.Struct, frozen=True):
    """The new campaign.

    :ivar status: 13 while addresses are copied, 26 for a draft.
    :ivar count: recipients.
    :ivar overdraft_price: for one mail beyond the plan, in `currency`.
    """

    id: int
    status: int | None = None
    count: int = 0
    tariff_email_qty: int = 0
    paid_email_qty: int = 0
    overdraft_price: float = 0.0
    overdraft_currency: str = ""
    misspelt_currency: str = msgspec.field(name="ovedraft_currency", default="")

    @property
    def currency(self) -> str:
        """The currency, whichever way the service spells the key."""
        return self.overdraft_currency or self.misspelt_currency


class Message(Quiet, frozen=True):
    """What a campaign sends; `body`, in HTML, and `preheader` are there when one campaign is read."""

    sender_name: str = ""
    sender_email: str = ""
    subject: str = ""
    attachments: Any = None
    list_id: Any = None
    body: str = ""
    preheader: str = ""


class Figures(msgspec.Struct, frozen=True):
    """A campaign's figures in a list of campaigns."""

    sent: int = 0
    delivered: int = 0
    opening: int = 0
    link_redirected: int = 0
    unsubscribe: int = 0
    error: int = 0


class Campaign(msgspec.Struct, frozen=True):
    """A campaign in a list of campaigns."""

    id: int
    name: str = ""
    status: int | None = None
    message: Message = Message()
    statistics: Figures = Figures()
    is_sms: bool = False
    is_viber: bool = False
    all_email_qty: int = 0
    tariff_email_qty: int = 0
    paid_email_qty: int = 0
    overdraft_price: float = 0.0
    overdraft_currency: str = ""
    company_price: float = 0.0
    send_date: str = ""


class StatusCount(msgspec.Struct, frozen=True):
    """How many recipients have a status; `RECIPIENT_STATUS` knows the codes."""

    code: int
    count: int = 0
    explain: str = ""


class UrlCount(msgspec.Struct, frozen=True):
    """How often a link was followed."""

    url: str
    count: int = 0


class DetailedFigures(msgspec.Struct, frozen=True):
    """A campaign's figures when it is read by itself."""

    general: list[StatusCount] = []
    clicks: list[UrlCount] = []


class CampaignDetail(msgspec.Struct, frozen=True):
    """A campaign read by itself: the figures have another shape than in a list."""

    id: int
    name: str = ""
    status: int | None = None
    message: Message = Message()
    statistics: DetailedFigures = DetailedFigures()
    all_email_qty: int = 0
    tariff_email_qty: int = 0
    paid_email_qty: int = 0
    overdraft_price: float = 0.0
    overdraft_currency: str = ""
    company_price: float = 0.0
    send_date: str = ""
    permalink: str = ""
    external_stat: dict[str, Any] = {}


class CampaignStatus(msgspec.Struct, frozen=True):
    """How far a campaign is: the little that the vendor's specification promises of one."""

    id: int
    status: int
    name: str = ""


class Changed(msgspec.Struct, frozen=True):
    """The answer to a change: ``{"result": true, "id"}`` as specified, or the campaign itself, as was recorded."""

    id: int | None = None
    result: bool | None = None

    def __post_init__(self) -> None:
        if self.result is False or (self.result is None and self.id is None):
            raise ValueError("the service does not say that the campaign was changed")


class Referral(msgspec.Struct, frozen=True):
    """How often a link was followed."""

    link: str
    count: int = 0


class RecipientResult(msgspec.Struct, frozen=True):
    """What a campaign did with one address; `RECIPIENT_STATUS` knows the codes."""

    global_status: int | None = None
    global_status_explain: str = ""
    detail_status: int | None = None
    detail_status_explain: str = ""
    sent_date: str = ""
    send_date: str = ""

    @property
    def date(self) -> str:
        """When it was sent, whichever way the service spells the key."""
        return self.sent_date or self.send_date
