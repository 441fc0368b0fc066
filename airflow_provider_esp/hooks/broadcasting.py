"""What a service's hook can do about broadcasts; a service that has none leaves these as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from airflow_provider_esp.core.broadcasts.create import BroadcastTarget
    from airflow_provider_esp.core.broadcasts.wait import BroadcastWatch
    from airflow_provider_esp.core.calls import Flow, Service
    from airflow_provider_esp.core.models import Broadcast, BroadcastGoal, BroadcastOptions


class Broadcasting:
    """The part of `EspHook` that is about broadcasts."""

    if TYPE_CHECKING:

        @property
        def service(self) -> Service:
            """The service whose calls the hook runs."""

    def broadcast_target(self, options: BroadcastOptions) -> Flow[BroadcastTarget]:
        """Prepare a broadcast: look up what it names, and refuse what cannot be had.

        :raises Unsupported: the service cannot do what the options ask.
        """
        self._no_broadcasts()

    def find_broadcasts(self, marker: str) -> Flow[list[Broadcast]]:
        """Find broadcasts by a text in their title, in the whole list.

        :raises Unsupported: the service has no broadcasts.
        """
        self._no_broadcasts()

    def broadcast(self, broadcast_id: str) -> Flow[Broadcast]:
        """Ask how far a broadcast is.

        :raises Unsupported: the service has no broadcasts.
        """
        self._no_broadcasts()

    def cancel_broadcast(self, broadcast_id: str) -> Flow[None]:
        """Cancel a broadcast that has not started.

        :raises Unsupported: the service has no broadcasts.
        """
        self._no_broadcasts()

    def broadcast_watch(self, broadcast_id: str, goal: BroadcastGoal) -> BroadcastWatch:
        """Prepare looking at a broadcast again and again.

        :raises Unsupported: the service cannot tell what the goal asks for.
        """
        self._no_broadcasts()

    def count_recipients(self, segments: Sequence[str], excluded: Sequence[str] = ()) -> Flow[int]:
        """Count the contacts of segments, each once, without those of the excluded ones.

        :raises Unsupported: the service cannot.
        """
        self._no_broadcasts()

    def _no_broadcasts(self) -> NoReturn:
        from airflow_provider_esp.exceptions import Unsupported

        raise Unsupported(self.service.title, "do broadcasts")
