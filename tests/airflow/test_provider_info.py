"""What Airflow reads about the provider: valid by its schemas, and shown by its commands and forms."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

import airflow_provider_esp
from airflow_provider_esp.get_provider_info import get_provider_info

INFO = get_provider_info()
FORMS = {entry["connection-type"]: entry for entry in INFO["connection-types"]}
BUILT_UPON = {
    "airflow_provider_esp.hooks.broadcasting",
    "airflow_provider_esp.hooks.credentials",
    "airflow_provider_esp.hooks.esp",
    "airflow_provider_esp.hooks.reporting",
    "airflow_provider_esp.hooks.spending",
    "airflow_provider_esp.hooks.telling",
    "airflow_provider_esp.triggers.broadcast_waits",
    "airflow_provider_esp.triggers.deferral",
}
VERSION = tuple(int(number) for number in airflow.__version__.split(".")[:2])
IS_AIRFLOW_2 = VERSION < (3, 0)
NEWER = {key for key, since in {"asset-uris": (3, 0), "cli": (3, 2)}.items() if since > VERSION}
"""Keys that this Airflow does not know yet."""


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(airflow.__file__).parent / name).read_text())
    return found


def imported(dotted: str) -> Any:
    module, name = dotted.rsplit(".", 1)
    return getattr(import_module(module), name)


def test_the_metadata_is_valid_by_the_schema_that_airflow_applies() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_every_key_is_one_that_providers_have() -> None:
    # The schema that Airflow applies ignores what it does not know, misspelt keys included; this one lists them all.
    strict = schema("provider.yaml.schema.json")
    known = strict["properties"]
    assert set(INFO) - set(known) == NEWER
    for key in set(INFO) & set(known):
        jsonschema.validate(INFO[key], {**known[key], "definitions": strict.get("definitions", {})})


@pytest.mark.slow
@pytest.mark.skipif(VERSION < (3, 2), reason="Airflow loads commands of providers since 3.2")
def test_airflows_own_command_line_has_the_commands() -> None:
    command = [sys.executable, "-m", "airflow", "esp", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert all(name in said for name in ("authorize", "revoke", "status"))


def test_the_forms_are_valid_by_the_strict_schema() -> None:
    strict = schema("provider.yaml.schema.json")["properties"]["connection-types"]
    if "conn-fields" not in strict["items"]["properties"]:
        pytest.skip(f"Airflow {airflow.__version__} does not describe forms in its schema")
    jsonschema.validate(INFO["connection-types"], strict)
    for entry in INFO["connection-types"]:
        assert set(entry) <= set(strict["items"]["properties"])


def test_metadata_and_hook_class_say_the_same() -> None:
    for conn_type, entry in FORMS.items():
        hook = imported(entry["hook-class-name"])
        assert (hook.conn_type, hook.hook_name) == (conn_type, entry["hook-name"])
        assert hook.default_conn_name == f"{conn_type}_default"


def listed(kind: str) -> set[str]:
    return {module for entry in INFO.get(kind, []) for module in entry["python-modules"]}


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_that_is_there_is_listed_and_every_listed_one_is_there(kind: str) -> None:
    folder = Path(airflow_provider_esp.__file__).parent / kind
    names = [module.name for module in pkgutil.iter_modules([str(folder)]) if not module.name.startswith("_")]
    there = {f"airflow_provider_esp.{kind}.{name}" for name in names}
    assert listed(kind) == there - BUILT_UPON
    for module in sorted(listed(kind)):
        import_module(module)


def test_every_integration_that_is_named_is_described() -> None:
    named = {
        entry["integration-name"]
        for kind in ("hooks", "operators", "sensors", "triggers")
        for entry in INFO.get(kind, [])
    }
    assert named == {integration["integration-name"] for integration in INFO["integrations"]}


def test_what_carries_a_secret_is_hidden_by_airflow_and_nothing_else_is() -> None:
    from airflow.providers.common.compat.sdk import redact

    for entry in FORMS.values():
        extra = dict.fromkeys(entry["conn-fields"], "to-be-seen-or-not")
        secret = {name for name, made in entry["conn-fields"].items() if made["schema"].get("format") == "password"}
        shown = redact(extra)
        assert isinstance(shown, dict)
        assert {name for name, value in shown.items() if value == "***"} == secret
    assert {name for entry in FORMS.values() for name in entry["conn-fields"]} >= {"api_key", "secret_event_url"}


@pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow 2 makes forms from the hooks' methods")
def test_airflow_3_makes_the_forms_from_the_metadata() -> None:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    forms = {form.connection_type: form.model_dump() for form in HookMetaService.hook_meta_data()}
    for conn_type, entry in FORMS.items():
        form = forms[conn_type]
        assert form["hook_name"] == entry["hook-name"]
        assert list(form["extra_fields"]) == list(entry["conn-fields"])
        for name, label in entry["ui-field-behaviour"]["relabeling"].items():
            assert form["standard_fields"][name]["title"] == label


@pytest.mark.skipif(not IS_AIRFLOW_2, reason="Airflow 3.2 and later makes forms from the metadata")
def test_airflow_2_makes_the_same_forms_from_the_hooks_methods() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    for conn_type, entry in FORMS.items():
        assert manager.hooks[conn_type] is not None  # makes the form, from methods of exactly this class
        own = f"extra__{conn_type}__"
        made = [name.removeprefix(own) for name in manager.connection_form_widgets if name.startswith(own)]
        assert made == list(entry["conn-fields"])
        assert manager.field_behaviours[conn_type]["relabeling"] == entry["ui-field-behaviour"]["relabeling"]


def command(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_airflows_commands_list_the_provider_and_its_hooks() -> None:
    providers = {row["package_name"]: row for row in json.loads(command("providers", "list", "--output", "json"))}
    assert providers[INFO["package-name"]]["version"] == airflow_provider_esp.__version__
    hooks = {row["connection_type"]: row for row in json.loads(command("providers", "hooks", "--output", "json"))}
    for conn_type, entry in FORMS.items():
        assert hooks[conn_type]["class"] == entry["hook-class-name"]
        assert hooks[conn_type]["hook_name"] == entry["hook-name"]
