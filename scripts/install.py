"""Builds a virtual environment with this package, some of its extras and pinned dependencies, and says how it goes.

``python scripts/install.py VENV CONSTRAINTS EXTRA[,EXTRA]``. Needs nothing but Python 3.11. Does nothing where the
environment is as it should be; otherwise everything that pip says goes to ``.run/install<venv>.log``.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

LOGS = Path(".run")
TELL_EVERY = 10.0
DEPENDS_ON = ("pyproject.toml", "airflow_provider_esp/__init__.py")
WITHIN = {"sandbox": "dev"}
"""Extras that another one contains."""


def main(venv: Path, constraints: str, extra: str) -> int:
    """Build the environment, or bring it up to date.

    :returns: the process's exit code.
    """
    python, stamp, wanted = venv / "bin" / "python", venv / ".installed", digest(constraints)
    if stamp.exists() and has(stamp.read_text(), extra, wanted):
        return 0
    LOGS.mkdir(exist_ok=True)
    path = LOGS / f"install{venv.name}.log"
    with path.open("w") as log:
        if not works(python):
            say(f"Making {venv} with Python {sys.version.split()[0]}. What pip says goes to {path}.")
            if run([sys.executable, "-m", "venv", "--clear", str(venv)], log):
                return failed(f"{venv} could not be made", path)
        say(f"Installing this package and what it needs, with the versions in {constraints}.")
        began = time.monotonic()
        # Through the environment, because pip applies -c to the package but not to what builds it. Files are compiled
        # when they are first imported: most never are.
        pins = {"PIP_CONSTRAINT": constraints, "PIP_BUILD_CONSTRAINT": constraints}
        install = [str(python), "-m", "pip", "install", "--no-input", "--no-compile", "--editable", f".[{extra}]"]
        if run(install, log, pins):
            return failed("the packages could not be installed", path)
    stamp.write_text(f"{extra} {wanted}")
    say(f"Installed in {time.monotonic() - began:.0f} s.")
    return 0


def has(stamp: str, extra: str, wanted: str) -> bool:
    """Check whether an environment with this stamp has all that is wanted."""
    extras, _, state = stamp.partition(" ")
    there = set(extras.split(","))
    return state == wanted and all(name in there or WITHIN.get(name) in there for name in extra.split(","))


def digest(constraints: str) -> str:
    """Tell one state of everything that decides what is installed from another."""
    return hashlib.sha256(b"".join(Path(name).read_bytes() for name in (*DEPENDS_ON, constraints))).hexdigest()


def works(python: Path) -> bool:
    """Check whether an environment's Python and pip start; one that was copied or lost its Python does not."""
    try:
        return subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(command: list[str], log: IO[str], extra: dict[str, str] | None = None) -> int:
    """Run a command into the log; now and then say how many packages it has found.

    :returns: its exit code.
    """
    found, writing, told = 0, False, time.monotonic()
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(extra or {})}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        for line in process.stdout or ():
            log.write(line)
            log.flush()
            found += line.startswith("Collecting ")
            if line.startswith("Installing collected packages"):
                writing = True
                say(f"  packages to write: {line.count(',') + 1}")
            elif found and not writing and time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                say(f"  packages found so far: {found}")
    return process.returncode


def failed(what: str, log: Path) -> int:
    """Show the end of the log."""
    tail = "".join(f"    {line}\n" for line in log.read_text().splitlines()[-12:])
    print(f"{what[0].upper()}{what[1:]}; {log} ends so:\n{tail}", file=sys.stderr)
    return 1


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
