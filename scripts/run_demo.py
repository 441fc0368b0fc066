"""Runs the example campaign to its end: a real Airflow on SQLite, both services on loopback, nothing sent to anybody.

``python scripts/run_demo.py [DAG_FILE]``. What Airflow says goes to a file; what is shown is each task as it ends, the
table of outcomes, and where the report is. The exit code says whether the run succeeded.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from local_airflow import AIRFLOW_VERSION, EXAMPLES, ROOT, RUN, environment, migrate, shown

from airflow_provider_esp.sandbox import Sandbox

PATIENCE = 15 * 60
OUTCOMES = ("rows", "accepted", "rejected", "invalid", "duplicate", "suppressed", "unknown", "not_reached")
LEFT_OUT = ("customer00777@example.com", "customer07777@example.com")
"""Customers whom the sandbox's eSputnik leaves out of its import without a word."""
ENDED = ("success", "failed", "skipped", "upstream_failed")


def main(dag_file: Path) -> int:
    """Run the demo.

    :returns: the process's exit code.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = RUN / f"demo-{AIRFLOW_VERSION}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    home, log, result = work / "airflow", work / "airflow.log", work / "result.json"
    with Sandbox() as sandbox:
        say(f"eSputnik and SendPulse are on this machine: {sandbox.url}")
        # So that the newcomer also sees rows which the service, not we, did not take.
        sandbox.set(esputnik__import_missing=list(LEFT_OUT))
        env = environment(sandbox, home, work / "report")
        say(f"Preparing Airflow {AIRFLOW_VERSION} on SQLite.")
        prepare(home, env, log)
        say(f"Running {dag_file.name}. What Airflow says goes to {shown(log)}.")
        command = [sys.executable, str(ROOT / "scripts" / "run_dag.py"), str(dag_file), str(result)]
        with log.open("a") as output:
            code = watch(subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT), home)
        if not result.exists():
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            say(f"The run broke off; {shown(log)} ends so:\n{tail}")
            return code or 1
        tasks = json.loads(result.read_text())["tasks"]
        say("\n" + table(tasks))
        say("\n" + holdings(sandbox))
    for task in tasks:
        say_report(task)
    return code


def prepare(home: Path, env: dict[str, str], log: Path) -> None:
    """Return a fresh home its database; the first one is kept, because migrating takes longer than copying."""
    home.mkdir()
    database, kept = home / "airflow.db", RUN / f"airflow-{AIRFLOW_VERSION}.db"
    if not kept.exists():
        migrate(env, log)
        shutil.copy(database, kept)
    else:
        shutil.copy(kept, database)


def watch(process: subprocess.Popen[bytes], home: Path) -> int:
    """Wait for the run, and say when a task has ended.

    :returns: the run's exit code.
    """
    told: set[str] = set()
    end = time.monotonic() + PATIENCE
    try:
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.5)
            for task, state in states(home / "airflow.db"):
                if state in ENDED and task not in told:
                    told.add(task)
                    say(f"  {task}: {state}")
        if process.poll() is None:
            say(f"The run did not end within {PATIENCE // 60} minutes and is stopped.")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)
    return process.returncode


def states(database: Path) -> list[tuple[str, str]]:
    """Read how far each task is, straight from the file: asking Airflow would take seconds each time."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT task_id, state FROM task_instance ORDER BY end_date").fetchall()
    except sqlite3.OperationalError:  # Airflow is writing; the next look is half a second away
        return []
    finally:
        connection.close()


def table(tasks: list[dict[str, Any]]) -> str:
    """Draw what became of the rows, one line for a task; an outcome that no row had is left out."""
    counted = [task["returned"] if is_counts(task["returned"]) else {} for task in tasks]
    columns = [name for name in OUTCOMES if name in ("rows", "accepted") or any(counts.get(name) for counts in counted)]
    widest = max(len(task["task"]) for task in tasks)
    lines = [f"{'task':<{widest}}  {'state':<8}" + "".join(f"{name:>12}" for name in columns) + "  delivered"]
    for task, counts in zip(tasks, counted, strict=True):
        cells = "".join(f"{counts[name]:>12,}" for name in columns) if counts else ""
        delivered = f"{counts['delivered']:>11,}" if "delivered" in counts else ""
        lines.append(f"{task['task']:<{widest}}  {task['state']:<8}{cells}{delivered}".rstrip())
    return "\n".join(lines)


def is_counts(returned: object) -> bool:
    """Check whether a task returned rows by outcome."""
    return isinstance(returned, dict) and set(OUTCOMES) <= set(returned)


def holdings(sandbox: Sandbox) -> str:
    """Return what the services hold now, as they count it themselves."""
    lines = ["What the services hold now:"]
    for service, sections in sandbox.counts().items():
        held = ", ".join(f"{number:,} {section}" for section, number in sections.items() if number)
        lines.append(f"  {service:<10} {held or 'nothing'}")
    return "\n".join(lines)


def say_report(task: dict[str, Any]) -> None:
    """Return where a task's report is, if it left one."""
    folder = task["returned"].get("report_path") if isinstance(task["returned"], dict) else None
    if folder and Path(folder).is_dir():
        say(f"Report of {task['task']}: {shown(Path(folder))}")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if sys.argv[1:] else EXAMPLES / "winback_campaign.py"))
