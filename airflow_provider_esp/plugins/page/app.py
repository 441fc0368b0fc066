"""The page's routes, as an app that Airflow's API server mounts.

Nothing of it is public but the module that draws the page. Where this Airflow lacks what the routes are guarded by or
read, they answer 503 and say so.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, Response

from airflow_provider_esp.exceptions import headline

_STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

_log = logging.getLogger(__name__)


def make_app(prefix: str) -> FastAPI:
    """Make the app.

    :param prefix: where the API server mounts it, e.g. ``/esp``.
    :returns: one that refuses every route but the static files where Airflow's own checks cannot be had.
    """
    app = FastAPI(title="Email services", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.prefix = prefix
    files = {path.name: path for path in _STATIC.iterdir() if path.suffix in _TYPES}

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        """Give a file of the page, which is the same for everybody."""
        path = files.get(name)
        if path is None:
            raise HTTPException(404)
        headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        return Response(path.read_bytes(), media_type=_TYPES[path.suffix], headers=headers)

    @app.middleware("http")
    async def not_kept(request: Any, call_next: Any) -> Any:
        """Say of every answer with figures that nobody may keep it."""
        answer = await call_next(request)
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    try:
        from airflow_provider_esp.plugins.page.routes import router
    except ImportError as missing:
        why = headline(missing)
        _log.warning("The page of the email services is not available on this Airflow: %s", why)

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        def refuse(path: str) -> Response:
            """Refuse what cannot be checked."""
            return JSONResponse({"detail": "Not available on this Airflow."}, 503)

    else:
        app.include_router(router)
    return app
