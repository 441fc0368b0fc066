"""eSputnik and SendPulse on loopback: for demos, for tests, and for DAG authors' own CI.

An independent reading of what the vendors document, quirks included; it shares no code with the provider. Run it
with ``python -m airflow_provider_esp.sandbox``, or in a test::

    with Sandbox() as sandbox:
        ...  # sandbox.esputnik_url, sandbox.sendpulse_url, sandbox.messages()

It needs the extra ``airflow-provider-esp[sandbox]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server import Sandbox

__all__ = ["Sandbox"]


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: pytest loads the plugin in this package wherever the provider is installed.
    if name != "Sandbox":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .server import Sandbox
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("jinja2", "starlette", "uvicorn"):
            raise
        message = f"The sandbox needs {missing}: install airflow-provider-esp[sandbox]."
        raise ModuleNotFoundError(message, name=missing) from None
    return Sandbox
