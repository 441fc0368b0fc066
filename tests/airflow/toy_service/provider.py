"""What Airflow reads about the toy: the entry point ``apache_airflow_provider`` of its own package."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Name the connection type and its hook: that is how every operator finds the hook."""
    return {
        "package-name": "airflow-provider-toy",
        "name": "Toy",
        "description": "A toy.",
        "versions": ["1.0"],
        "connection-types": [
            {"connection-type": "toy", "hook-class-name": "toy_service.hook.ToyHook", "hook-name": "Toy"}
        ],
    }
