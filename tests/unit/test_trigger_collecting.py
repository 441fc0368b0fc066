"""What the garbage collector is told while many waits are open: in processes of their own, since it is one for all."""

from __future__ import annotations

import subprocess
import sys

SHOWS = """
import gc, sys
from contextlib import ExitStack
from airflow_provider_esp.utils import frozen_heap as collecting

def frozen():
    return gc.get_freeze_count() > 0

class Cycle:
    alive = 0
    def __init__(self):
        self.itself = self
        Cycle.alive += 1
    def __del__(self):
        Cycle.alive -= 1
"""


def shown(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SHOWS + program], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_few_waits_leave_the_collector_alone() -> None:
    assert shown("""
with ExitStack() as waits:
    for _ in range(100):
        waits.enter_context(collecting.set_aside())
    print(frozen())
print(frozen())
""").split() == ["False", "False"]


def test_what_lives_while_many_waits_are_open_is_not_walked_through_again() -> None:
    assert shown("""
with ExitStack() as waits:
    kept = [[] for _ in range(100_000)]
    for _ in range(300):
        waits.enter_context(collecting.set_aside())
    print(frozen(), len(gc.get_objects()) < 100_000)
""").split() == ["True", "True"]


def test_what_holds_itself_is_freed_after_some_thousands_of_waits() -> None:
    assert shown("""
gc.disable()  # whatever becomes free is set aside before anybody looks
for _ in range(9_999):
    with collecting.set_aside():
        Cycle()
gc.collect()
print(Cycle.alive > 9_000)
with collecting.set_aside():
    Cycle()
gc.collect()
print(Cycle.alive)
""").split() == ["True", "0"]
