"""Connection forms made from the table, in the two ways that Airflow has asked for them."""

from __future__ import annotations

from typing import Any

from airflow_provider_esp.connections.fields import HIDDEN, TYPES, Field


def metadata() -> list[dict[str, Any]]:
    """Return ``connection-types`` of the provider's metadata, forms included: what Airflow 3.2 and later reads."""
    return [
        {
            "connection-type": name,
            "hook-class-name": kind.hook,
            "hook-name": kind.hook_name,
            "ui-field-behaviour": {
                "hidden-fields": list(HIDDEN),
                "relabeling": _labels(name),
                "placeholders": _examples(name),
            },
            "conn-fields": {
                key: {"label": given.label, "description": given.description, "schema": _schema(given)}
                for key, given in kind.extra.items()
            },
        }
        for name, kind in TYPES.items()
    ]


def ui_field_behaviour(conn_type: str) -> dict[str, Any]:
    """Return what a hook's ``get_ui_field_behaviour`` returns: hidden fields, labels and examples.

    :param conn_type: a name in `TYPES`.
    """
    own = {name: given.example for name, given in TYPES[conn_type].extra.items() if given.example}
    return {
        "hidden_fields": list(HIDDEN),
        "relabeling": _labels(conn_type),
        "placeholders": _examples(conn_type) | own,
    }


def form_widgets(conn_type: str) -> dict[str, Any]:
    """Return what a hook's ``get_connection_form_widgets`` returns: wtforms fields by name.

    Numbers and objects are typed into text fields: Airflow before 3.2 takes no other kind for them.

    :param conn_type: a name in `TYPES`.
    """
    # Only the web server of Airflow 2 has these, and importing them takes a second.
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextAreaFieldWidget, BS3TextFieldWidget
    from wtforms import PasswordField, StringField

    def widget(given: Field) -> Any:
        if given.format == "password":
            return PasswordField(given.label, widget=BS3PasswordFieldWidget(), description=given.description)
        shown = BS3TextAreaFieldWidget() if given.type == "object" else BS3TextFieldWidget()
        return StringField(given.label, widget=shown, description=given.description)

    return {name: widget(given) for name, given in TYPES[conn_type].extra.items()}


def _labels(conn_type: str) -> dict[str, str]:
    return {name: label for name, (label, _) in TYPES[conn_type].standard.items()}


def _examples(conn_type: str) -> dict[str, str]:
    return {name: example for name, (_, example) in TYPES[conn_type].standard.items() if example}


def _schema(given: Field) -> dict[str, Any]:
    # "null" makes the field optional. No default: the form would save it, and it would outlive a change of ours.
    schema: dict[str, Any] = {"type": [given.type, "null"]}
    if given.format:
        schema["format"] = given.format
    if given.most is not None:
        schema |= {"minimum": 0, "maximum": given.most}
    return schema
