"""Have the API server of ``make up`` answer only to names of this machine.

A web page elsewhere can make a name of its own lead to 127.0.0.1; by that name it would be of Airflow's own origin.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowPlugin
from starlette.middleware.trustedhost import TrustedHostMiddleware


class LoopbackOnly(AirflowPlugin):
    """Adds the check to Airflow's own application."""

    name = "loopback_only"
    fastapi_root_middlewares = [  # noqa: RUF012  # how Airflow declares it
        {
            "name": "Names of this machine only",
            "middleware": TrustedHostMiddleware,
            "kwargs": {"allowed_hosts": ["127.0.0.1", "localhost"], "www_redirect": False},
        }
    ]
