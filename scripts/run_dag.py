"""Runs one DAG file to its end with ``dag.test()``, in a process of its own, and leaves what each task returned.

``python scripts/run_dag.py DAG_FILE RESULT_FILE``. Airflow's home and connections come from the environment. The exit
code says whether the run succeeded.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any


def main(dag_file: str, result_file: Path) -> int:
    """Run the file's DAG.

    :returns: 0 when the run succeeded, 1 otherwise.
    """
    from airflow.providers.common.compat.sdk import DAG

    (dag,) = (value for value in runpy.run_path(dag_file).values() if isinstance(value, DAG))
    run = dag.test()
    order = {task_id: place for place, task_id in enumerate(task.task_id for task in dag.topological_sort())}
    tasks = sorted(run.get_task_instances(), key=lambda ti: (order[ti.task_id], ti.map_index))
    result_file.write_text(json.dumps({"state": str(run.state), "tasks": [told(ti) for ti in tasks]}, default=str))
    return 0 if run.state == "success" else 1


def told(ti: Any) -> dict[str, Any]:
    """Return what is worth telling of a task: its state, how long it took, and what it returned."""
    seconds = (ti.end_date - ti.start_date).total_seconds() if ti.start_date and ti.end_date else None
    returned = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
    return {"task": ti.task_id, "state": str(ti.state), "seconds": seconds, "returned": returned}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
