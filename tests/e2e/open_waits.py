"""Waits that are open while the triggerer is killed: a DAG of mapped tasks, and what has to come of them.

Each mapped task is one wait. In turn they upload and wait, create a broadcast at eSputnik and wait, create a campaign
at SendPulse and wait, wait for a broadcast, and wait for an import; what the last two wait for is there before. The
sandbox lets nothing end until it is told to: imports take a day, activity comes a day late, campaigns are on their way.
Used by the test with a few waits and by ``benchmarks/triggerer_kill.py`` with many.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import httpx

from airflow_provider_esp.sandbox import Sandbox
from tests.e2e.real_airflow import Airflow

DAG_ID = "open_waits"
KINDS = ("upload", "broadcast", "campaign", "watch_broadcast", "watch_import")
DAY = 86_400.0
CREATING = {"upload": "POST v1/contacts", "broadcast": "POST v1/broadcast", "campaign": "POST campaigns"}
HARMLESS = ("POST oauth/access_token",)
"""Requests besides GETs that create nothing."""

DAG_FILE = """
import json
from datetime import datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_esp.options import SendPulseCampaign
from airflow_provider_esp.operators.broadcasts import CreateBroadcastOperator
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.sensors.broadcasts import BroadcastSensor
from airflow_provider_esp.sensors.imports import ImportSensor

plan = json.loads(Path(__file__).with_suffix(".json").read_text())
esputnik = {"esp_conn_id": "esputnik_default", "deferrable": True}
sendpulse = {"esp_conn_id": "sendpulse_default", "deferrable": True}
pause, counts = plan["pause"], plan["counts"]
create = {"wait_for_completion": True, "poll_interval": pause}
titles = {kind: [f"{kind} {number}" for number in range(counts[kind])] for kind in counts}

with DAG("open_waits", start_date=datetime(2026, 1, 1), schedule=None, catchup=False):
    UploadContactsOperator.partial(task_id="upload", poll_interval=pause, **esputnik).expand(
        source=[[{"email": f"reader{number}@example.com"}] for number in range(counts["upload"])]
    )
    CreateBroadcastOperator.partial(
        task_id="broadcast", message_id=1003, segments="Readers", settle_time=3.0, **create, **esputnik
    ).expand(title=titles["broadcast"])
    CreateBroadcastOperator.partial(
        task_id="campaign",
        segments=plan["book"],
        subject="Sale",
        body="<b>Sale</b>",
        options=SendPulseCampaign(sender_email="sender@sandbox.example"),
        **create,
        **sendpulse,
    ).expand(title=titles["campaign"])
    BroadcastSensor.partial(
        task_id="watch_broadcast", until=1.0, expected=1, poke_interval=pause, **esputnik
    ).expand(broadcast_id=plan["broadcasts"])
    ImportSensor.partial(task_id="watch_import", poke_interval=pause, **esputnik).expand(import_ids=plan["imports"])
"""
TAKEN = (
    "SELECT t.triggerer_id AS triggerer FROM task_instance ti JOIN trigger t ON t.id = ti.trigger_id "
    "WHERE ti.dag_id = ? AND ti.state = 'deferred' AND t.triggerer_id IS NOT NULL"
)


def connections(sandbox: Sandbox) -> dict[str, str]:
    """Give the environment variables of connections to the sandbox."""
    told = {
        "ESPUTNIK": {"conn_type": "esputnik", "host": sandbox.esputnik_url, "password": "sandbox-key"},
        "SENDPULSE": {
            "conn_type": "sendpulse",
            "host": sandbox.sendpulse_url,
            "login": "sandbox-id",
            "password": "sandbox-secret",
        },
    }
    extra = {"timezone": "Europe/Kyiv", "rate_limits": {"sendpulse.campaigns": 1000}}
    extras = {"ESPUTNIK": {"timezone": "Europe/Kyiv"}, "SENDPULSE": extra}
    return {
        f"AIRFLOW_CONN_{name}_DEFAULT": json.dumps({**fields, "extra": extras[name]}) for name, fields in told.items()
    }


@dataclass
class OpenWaits:
    """So many waits of one Airflow, from their beginning to their end.

    :ivar n: waits.
    :ivar pause: seconds between two looks of a wait.
    :ivar patience: seconds that a step may take for each wait, besides two minutes.
    """

    airflow: Airflow
    sandbox: Sandbox
    n: int
    pause: float = 2.0
    patience: float = 10.0

    def __post_init__(self) -> None:
        self.counts = dict.fromkeys(KINDS, 0) | Counter(islice(cycle(KINDS), self.n))
        self._asked: dict[str, int] = {}

    def prepare(self) -> None:
        """Let nothing end at the sandbox, make what is only waited for, and write the DAG; before Airflow starts."""
        sandbox = self.sandbox
        for limit in ("esputnik.default", "sendpulse.campaigns"):
            sandbox.limit(limit, None)
        sandbox.do("esputnik", "make_contacts", count=1, segment="Readers")
        sandbox.set(
            import_seconds=DAY,
            delivery_seconds=0.1,
            esputnik__activity_delay_seconds=DAY,
            sendpulse__campaign_status={"*": 2},
        )
        plan = {"counts": self.counts, "pause": self.pause, **self._made()}
        (self.airflow.dags / f"{DAG_ID}.py").write_text(DAG_FILE)
        (self.airflow.dags / f"{DAG_ID}.json").write_text(json.dumps(plan))

    def open(self) -> None:
        """Start the DAG, and wait until the triggerer has all waits."""
        self._asked = self._requests()
        run(self.airflow, DAG_ID)
        self._until(lambda: self._taken().total() == self.n, "Opening all waits")

    def lose_triggerer(self, *, whole: bool) -> None:
        """Kill the triggerer, start another one, and wait until it has taken all waits over.

        :param whole: see `Airflow.kill_part`.
        """
        before = set(self._taken())
        assert self._taken().total() == self.n
        self.airflow.kill_part("triggerer", whole=whole)
        self.airflow.start_part("triggerer")
        self._until(lambda: self._taken(besides=before).total() == self.n, "Taking the waits over")

    def end(self) -> None:
        """Let everything end at the sandbox: first broadcasts and campaigns, then imports; wait for the tasks."""
        self.sandbox.set(esputnik__activity_delay_seconds=0.0, sendpulse__campaign_status={"*": 3})
        imports = self.counts["upload"] + self.counts["watch_import"]
        self._until(lambda: self._taken().total() == imports, "Ending the waits for broadcasts")
        self.sandbox.advance(DAY)
        ended = "SELECT 1 FROM dag_run WHERE dag_id = ? AND state IN ('success', 'failed')"
        self._until(lambda: self.airflow.rows(ended, DAG_ID), "Ending the waits for imports")

    def states(self) -> dict[str, int]:
        """Count tasks by their state."""
        rows = self.airflow.rows("SELECT state FROM task_instance WHERE dag_id = ?", DAG_ID)
        return dict(Counter(str(row["state"]) for row in rows))

    def created(self) -> dict[str, int]:
        """Count the requests of the tasks that were no GETs, by the kind of task that makes such, or by themselves."""
        kinds = {label: kind for kind, label in CREATING.items()}
        found = {label: number - self._asked.get(label, 0) for label, number in self._requests().items()}
        return {kinds.get(label, label): number for label, number in sorted(found.items()) if number}

    def expected(self) -> dict[str, int]:
        """Say what `created` has to be: as many as there are tasks that create something."""
        return {kind: self.counts[kind] for kind in CREATING if self.counts[kind]}

    def wrong(self) -> list[str]:
        """Compare what the tasks returned with how it ended; gives what is not right."""
        rows = self.airflow.rows(
            "SELECT task_id, map_index, value FROM xcom WHERE dag_id = ? AND key = 'return_value'", DAG_ID
        )
        told = {(row["task_id"], row["map_index"]): _decoded(row["value"]) for row in rows}
        found = []
        for kind in KINDS[:-1]:  # the sensor of imports returns nothing
            for number in range(self.counts[kind]):
                value = told.get((kind, number)) or {}
                good = value.get("accepted") == 1 if kind == "upload" else value.get("state") == "done"
                if not good:
                    found.append(f"{kind} {number} returned {value}")
        ids = [value["broadcast_id"] for (kind, _), value in told.items() if kind in ("broadcast", "campaign")]
        if len(set(ids)) != len(ids):
            found.append("two tasks returned the same broadcast")
        return found

    def _made(self) -> dict[str, Any]:
        """Make the broadcasts and the imports that are only waited for; gives their ids, and that of a mailing list."""
        (group,) = [row["id"] for row in self.sandbox.rows("esputnik", "segments") if row["name"] == "Readers"]
        with httpx.Client(base_url=self.sandbox.esputnik_url, auth=("any", "sandbox-key"), trust_env=False) as client:
            broadcasts = [
                _posted(client, "/v1/broadcast", messageId="1003", groups=[group])["broadcastId"]
                for _ in range(self.counts["watch_broadcast"])
            ]
            person = {"channels": [{"type": "email", "value": "watched@example.com"}]}
            imports = [
                _posted(client, "/v1/contacts", contacts=[person], dedupeOn="email")["asyncSessionId"]
                for _ in range(self.counts["watch_import"])
            ]
        key = {"Authorization": "Bearer sandbox-apikey"}
        with httpx.Client(base_url=self.sandbox.sendpulse_url, headers=key, trust_env=False) as client:
            book = _posted(client, "/addressbooks", bookName="Readers")["id"]
            _posted(client, f"/addressbooks/{book}/emails", emails=["ann@example.com"])
        return {"broadcasts": broadcasts, "imports": imports, "book": str(book)}

    def _taken(self, besides: Collection[int] = ()) -> Counter[int]:
        """Count open waits by the triggerer that has them, leaving out those of some triggerers."""
        taken = Counter(int(row["triggerer"]) for row in self.airflow.rows(TAKEN, DAG_ID))
        return Counter({triggerer: waits for triggerer, waits in taken.items() if triggerer not in besides})

    def _requests(self) -> dict[str, int]:
        counts = self.sandbox.state.log.counts()
        return {label: n for label, n in counts.items() if not label.startswith("GET ") and label not in HARMLESS}

    def _until(self, what: Callable[[], Any], why: str) -> None:
        self.airflow.wait_until(what, 120 + self.patience * self.n, why)


def run(airflow: Airflow, dag_id: str) -> str:
    """Start a DAG once it is known; gives the run's id."""
    known = "SELECT 1 FROM serialized_dag WHERE dag_id = ?"
    airflow.wait_until(lambda: airflow.rows(known, dag_id), 90, f"Parsing {dag_id}")
    told = airflow.ask("POST", f"/dags/{dag_id}/dagRuns", logical_date=None)
    return str(told["dag_run_id"])


def _posted(client: httpx.Client, path: str, **body: Any) -> Any:
    return client.post(path, json=body).raise_for_status().json()


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
