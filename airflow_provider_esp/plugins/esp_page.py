"""The plugin that puts the page into Airflow's UI, from 3.1 on.

Airflow loads plugins in every process, tasks and triggers included, so nothing is imported here: what the API server
serves is imported when it asks for it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

PREFIX = "/esp"
"""Where the API server mounts the routes of the page."""

_SINCE = (3, 1)
_TOP_LEVEL_SINCE = (3, 3)


class EspPage(AirflowPlugin):
    """Offers a page in the navigation, a tab on DAGs and runs, and a card on the dashboard.

    Before Airflow 3.1 there is no place for them in the UI, and nothing is offered.
    """

    name = "esp"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow declares a plain list
        """The routes that the page reads, for the API server."""
        if _version() < _SINCE:
            return []
        from airflow_provider_esp.plugins.page.app import make_app

        return [{"app": make_app(PREFIX), "url_prefix": PREFIX, "name": "Email services"}]

    @cached_property
    def react_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow declares a plain list
        """The page and its parts, as Airflow's UI loads them: one module, which has a name for each place."""
        if _version() < _SINCE:
            return []
        top = {"nav_top_level": True} if _version() >= _TOP_LEVEL_SINCE else {}
        return [
            {**_react_app("Email services", "esp", "nav"), **top},
            _react_app("Email services of a DAG", "esp-dag", "dag"),
            _react_app("Email services of a run", "esp-run", "dag_run"),
            _react_app("Email services today", "esp-card", "dashboard"),
        ]


def _react_app(name: str, route: str, destination: str) -> dict[str, Any]:
    """Describe one place in the UI.

    The address differs for each, because Airflow forgets a module's name before it loads the next one.
    """
    from urllib.parse import urlsplit

    from airflow.providers.common.compat.sdk import conf

    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    static = f"{base}{PREFIX}/static"
    return {
        "name": name,
        "url_route": route,
        "bundle_url": f"{static}/page.js?v={route}",
        "destination": destination,
        "icon": f"{static}/icon.svg",
        "icon_dark_mode": f"{static}/icon-dark.svg",
    }


def _version() -> tuple[int, int]:
    """Return the first two numbers of Airflow's version."""
    import airflow

    major, minor = airflow.__version__.split(".")[:2]
    return int(major), int(minor)
