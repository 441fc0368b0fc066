"""What Airflow reads about this provider, in every one of its processes: data only, nothing heavy to import."""

from __future__ import annotations

from typing import Any

from airflow_provider_esp import __version__, connections

_ESPUTNIK, _SENDPULSE = "eSputnik", "SendPulse"
_OPERATORS = [
    f"airflow_provider_esp.operators.{name}"
    for name in ("broadcasts", "contacts", "contacts_file", "events", "exports", "messages", "sync", "verification")
]
_SENSORS = [f"airflow_provider_esp.sensors.{name}" for name in ("broadcasts", "deliveries", "imports")]
_TRIGGERS = [
    f"airflow_provider_esp.triggers.{name}" for name in ("asset_events", "broadcasts", "send_windows", "waits")
]

_ASSETS = [
    {
        "schemes": ["esputnik", "sendpulse"],
        "handler": "airflow_provider_esp.assets.esp.sanitize_uri",
        "factory": "airflow_provider_esp.assets.esp.create_asset",
        "to_openlineage_converter": "airflow_provider_esp.assets.esp.convert_asset_to_openlineage",
    }
]

_CONFIG = {
    "esp": {
        "description": "Email service providers.",
        "options": {
            "report_link_template": {
                "description": "Web address that a task's Report link opens; {path} becomes the report's folder, "
                "percent-encoded. Empty: reports on the web, on S3 and on Google Cloud Storage have a link.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "https://files.example.com/browse?path={path}",
                "default": "",
            },
            "freeze_triggerer_heap": {
                "description": "Set the triggerer's objects aside from Python's garbage collector while thousands of "
                "waits of this provider are open (gc.freeze). It spares the event loop pauses of a third of a second, "
                "and concerns the whole process, triggers of other providers included.",
                "version_added": "0.1.0",
                "type": "boolean",
                "example": "True",
                "default": "False",
            },
            "file_mode": {
                "description": "Permissions, in octal, of new report parts and copies of queries on a local disk; new "
                "folders get the same with the right to enter. 640 lets a group read them. Object stores decide "
                "for themselves.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "640",
                "default": "600",
            },
            "report_roots": {
                "description": "Folders on the API server's disk, absolute and separated by commas, below which the "
                "page in Airflow may read the reports of tasks. Empty: it shows no rows.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "/data/esp/reports",
                "default": "",
            },
            "show_rows": {
                "description": "Let people who may edit a DAG see the rows of its tasks' reports whole, with an entry "
                "in the audit log. Otherwise keys are masked.",
                "version_added": "0.1.0",
                "type": "boolean",
                "example": "True",
                "default": "False",
            },
            "page_operators": {
                "description": "Names of your own operator classes that inherit from this provider's, separated by "
                "commas: the page in Airflow lists their task instances as well.",
                "version_added": "0.1.0",
                "type": "string",
                "example": "OurUploadOperator",
                "default": "",
            },
        },
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-esp",
        "name": "Email service providers",
        "description": "Email service providers: eSputnik (Yespo) and SendPulse.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": _ESPUTNIK, "external-doc-url": "https://docs.esputnik.com/", "tags": ["service"]},
            {"integration-name": _SENDPULSE, "external-doc-url": "https://sendpulse.com/api", "tags": ["service"]},
        ],
        "hooks": [
            {"integration-name": _ESPUTNIK, "python-modules": ["airflow_provider_esp.hooks.esputnik"]},
            {"integration-name": _SENDPULSE, "python-modules": ["airflow_provider_esp.hooks.sendpulse"]},
        ],
        "operators": [
            *_for_both(_OPERATORS),
            {"integration-name": _ESPUTNIK, "python-modules": ["airflow_provider_esp.operators.tokens"]},
        ],
        "sensors": _for_both(_SENSORS),
        "triggers": _for_both(_TRIGGERS),
        "connection-types": connections.metadata(),
        "extra-links": [
            f"airflow_provider_esp.links.esp.{name}Link" for name in ("Message", "Report", "Sandbox", "Service")
        ],
        "notifications": ["airflow_provider_esp.notifications.esp.EspNotifier"],
        "asset-uris": _ASSETS,
        "dataset-uris": _ASSETS,
        "config": _CONFIG,
        "cli": ["airflow_provider_esp.cli.options.airflow_commands"],
    }


def _for_both(modules: list[str]) -> list[dict[str, Any]]:
    return [{"integration-name": name, "python-modules": modules} for name in (_ESPUTNIK, _SENDPULSE)]
