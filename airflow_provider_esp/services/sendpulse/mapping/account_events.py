"""What happens at a SendPulse account, by its list of campaigns: those that end, and links that are followed.

The list is read newest first, `MOST_CAMPAIGNS` at a look (our choice): what is older is not watched.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from airflow_provider_esp.core.account_events import AccountEvent, BroadcastFinished, NewClicks, WatchOptions
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.services.sendpulse.api import campaigns
from airflow_provider_esp.services.sendpulse.api.campaign_models import Campaign
from airflow_provider_esp.services.sendpulse.api.campaigns import Progress

MOST_CAMPAIGNS = 300
_PAGE = 100


class AccountWatch:
    """Looks at an account's campaigns.

    :param watching: what to look at; campaigns have a status, so its settle time is not used.
    :param zone: the account's.
    """

    def __init__(self, watching: WatchOptions, zone: tzinfo) -> None:
        self._watching = watching
        self._zone = zone
        self._ended: dict[int, bool] = {}
        self._clicks: dict[int, int] = {}

    def look(self, now: float) -> Flow[list[AccountEvent]]:
        """Compare the campaigns with what they were at the last look: `GET campaigns`."""
        first = not self._ended
        events: list[AccountEvent] = []
        for offset in range(0, MOST_CAMPAIGNS, _PAGE):
            page = yield from campaigns.campaigns(_PAGE, offset, order="desc")
            for campaign in page:
                events += self._changes(campaign, now, first=first)
            if len(page) < _PAGE:
                break
        return events

    def _changes(self, campaign: Campaign, now: float, *, first: bool) -> list[AccountEvent]:
        events: list[AccountEvent] = []
        progress = campaigns.progress(campaign.status)
        ended = progress in (Progress.DONE, Progress.FAILED)
        at = self._sent_at(campaign) if first else now
        if ended and not self._ended.get(campaign.id) and at >= self._watching.since:
            events.append(
                BroadcastFinished(
                    id=str(campaign.id),
                    at=at,
                    state=progress.value,
                    counts={"sent": campaign.statistics.sent, "delivered": campaign.statistics.delivered},
                    status=campaigns.status_words(campaign.status),
                )
            )
        clicks = campaign.statistics.link_redirected
        new = clicks - self._clicks.get(campaign.id, clicks if first else 0)
        if new > 0:
            events.append(NewClicks(id=str(campaign.id), at=now, clicks=new))
        self._ended[campaign.id] = ended
        self._clicks[campaign.id] = clicks
        return events

    def _sent_at(self, campaign: Campaign) -> float:
        """Return when a campaign that had ended before the first look was sent: the list does not say when it ended."""
        try:
            return datetime.fromisoformat(campaign.send_date).replace(tzinfo=self._zone).timestamp()
        except ValueError:
            return 0.0
