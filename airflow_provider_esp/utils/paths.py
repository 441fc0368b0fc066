"""Paths that authors name: of files to read, and of those that tasks write personal data to.

Report parts, copies of queries and exports are such files.

On a local disk these are `LocalPath`: private, renamed into place, no link followed. Elsewhere they are Airflow's
`ObjectStoragePath`, and who may read them is the store's business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_LOCAL = frozenset({"file", "local"})
_MODES = range(0o600, 0o1000)


def private_path(path: str, argument: str) -> Any:
    """Return the folder of a report or of a copy.

    :param path: as the author named it: local, or anything Airflow's `ObjectStoragePath` takes.
    :param argument: the author's argument, for errors.
    :returns: a path whose new files only their owner can read, or who else ``[esp] file_mode`` says.
    :raises ValueError: the path leads upwards, or ``[esp] file_mode`` cannot be read.
    :raises SourceError: no installed provider knows its scheme.
    """
    from airflow.providers.common.compat.sdk import conf

    return _output_path(path, argument, file_mode_of("[esp] file_mode", conf.get("esp", "file_mode", fallback="600")))


def export_path(path: str, file_mode: int | None) -> Any:
    """Return the path of an export's file.

    :param file_mode: its permissions on a local disk; None for what the process's umask says.
    :raises ValueError: the path leads upwards.
    :raises SourceError: no installed provider knows its scheme.
    """
    return _output_path(path, "path", file_mode)


def file_mode_of(setting: str, value: str | int | None) -> int | None:
    """Read the permissions of files.

    :param setting: where the value comes from, for errors.
    :param value: octal digits, e.g. ``"640"``, or a number such as ``0o640``.
    :returns: None where the value is None.
    :raises ValueError: it is no such thing, or the owner could not read and write the file.
    """
    if value is None:
        return None
    try:
        mode = int(str(value), 8) if isinstance(value, str) else int(value)
    except ValueError:
        mode = -1
    if mode not in _MODES or mode & 0o111:
        raise ValueError(
            f"{setting} must be permissions in octal that let the owner read and write and nobody execute, such as "
            f'"600" or "640", not {value!r}.'
        )
    return mode


def _output_path(path: str, argument: str, file_mode: int | None) -> Any:
    from airflow_provider_esp.utils.local_paths import LocalPath

    check_stays_below(path, argument)
    scheme, separator, rest = path.partition("://")
    if not separator:
        return LocalPath(Path(path).expanduser().absolute(), file_mode=file_mode)
    if scheme in _LOCAL:
        return LocalPath(Path("/", rest), file_mode=file_mode)
    return storage_path(path)


def check_stays_below(path: str, argument: str) -> None:
    """Refuse a path in which a part that was filled in leads upwards, as a run called ``..`` does.

    :param path: after rendering.
    :param argument: the author's argument, for errors.
    :raises ValueError: it holds ``..`` behind another part.
    """
    parts = [part for part in path.partition("://")[2 if "://" in path else 0].split("/") if part]
    below = [part for at, part in enumerate(parts) if any(before != ".." for before in parts[:at])]
    if ".." in below or (path.startswith("/") and ".." in parts) or parts[-1:] == [".."]:
        raise ValueError(
            f"{argument} holds the part '..', which leads out of the folder before it: {path}. A template in it "
            "may have been filled in with '..' (the run's id?)."
        )


_FILE_SYSTEMS = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "s3a": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "gcs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
    "abfss": "apache-airflow-providers-microsoft-azure",
    "adl": "apache-airflow-providers-microsoft-azure",
    "sftp": "apache-airflow-providers-sftp[sshfs]",
}
"""Which package teaches Airflow's `ObjectStoragePath` a scheme."""


def storage_path(path: str) -> Any:
    """Make Airflow's `ObjectStoragePath`, for local paths as well.

    :raises SourceError: no installed package knows the scheme; it is named.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_esp.exceptions import SourceError, headline

    try:
        made = ObjectStoragePath(path if "://" in path else f"file://{_absolute(path)}")
        _ = made.fs  # where the package is looked for
    except (ValueError, ImportError) as error:
        if isinstance(error, ValueError) and "filesystem" not in str(error):
            raise
        scheme = path.partition("://")[0]
        package = _FILE_SYSTEMS.get(scheme)
        advice = f"pip install '{package}'" if package else "install the provider that brings it, or correct the scheme"
        raise SourceError(
            f"{_shown(path)}: this worker cannot reach {scheme}:// ({headline(error)}): {advice}."
        ) from None
    return made


def _shown(path: str) -> str:
    """Return a path without a login or signature that it may hold."""
    scheme, separator, rest = path.partition("://")
    return f"{scheme}{separator}{rest.partition('?')[0].rpartition('@')[2]}"


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
