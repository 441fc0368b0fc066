"""Signatures that tell: mypy refuses a misspelled argument, and an editor shows those that are inherited.

Lines that mypy has to refuse say so; one that it takes is an error of its own (``warn_unused_ignores``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import airflow
import pytest
from airflow.providers.common.compat.sdk import AirflowException, BaseOperator, BaseSensorOperator

from airflow_provider_esp.operators import _arguments
from airflow_provider_esp.operators._base import ChangingOperator, EspOperator
from airflow_provider_esp.operators._broadcast_start import StartOperator
from airflow_provider_esp.operators._reporting import ReportingOperator
from airflow_provider_esp.operators._rows import RowsOperator
from airflow_provider_esp.operators._send_policy import TimedSendOperator
from airflow_provider_esp.operators._sends import AtMostOnceOperator, SendOperator
from airflow_provider_esp.operators.broadcasts import CreateBroadcastOperator
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import EventOperator, SendEventOperator, SendEventsOperator
from airflow_provider_esp.operators.exports import ExportOperator, PeriodOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.options import EsputnikBroadcast
from airflow_provider_esp.sensors.imports import ImportSensor
from airflow_provider_esp.utils import operator_arguments

VERSION = tuple(int(number) for number in airflow.__version__.split(".")[:2])
NOT_IN_EACH = {"retry_policy", "render_template_as_native_obj"}
GONE_IN_AIRFLOW_3 = {"task_concurrency"}


def own(cls: type) -> set[str]:
    """Return the arguments that a class names itself."""
    parameters = inspect.signature(inspect.unwrap(cls.__init__)).parameters.values()  # type: ignore[misc]  # the class's own
    return {one.name for one in parameters if one.kind is not one.VAR_KEYWORD} - {"self"}


def inherited(cls: type[BaseOperator]) -> set[str]:
    """Return the arguments that a class and those above it name, up to Airflow's."""
    above = [one for one in cls.__mro__ if issubclass(one, EspOperator) and "__init__" in vars(one)]
    return {name for one in above for name in own(one)}


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (EspOperator, _arguments.EspArguments),
        (ChangingOperator, _arguments.ChangingArguments),
        (ExportOperator, _arguments.ExportArguments),
        (PeriodOperator, _arguments.PeriodArguments),
        (ReportingOperator, _arguments.ReportingArguments),
        (RowsOperator, _arguments.RowsArguments),
        (TimedSendOperator, _arguments.TimedSendArguments),
        (StartOperator, _arguments.StartArguments),
        (AtMostOnceOperator, _arguments.AtMostOnceArguments),
        (SendOperator, _arguments.SendArguments),
        (EventOperator, _arguments.EventArguments),
    ],
    ids=lambda given: given.__name__,
)
def test_the_types_name_what_an_operator_takes(cls: type[BaseOperator], arguments: Any) -> None:
    airflows = set(operator_arguments.BaseOperatorArguments.__annotations__)
    assert set(arguments.__annotations__) - airflows == inherited(cls)


def test_the_types_of_events_are_those_of_both_kinds_of_operator() -> None:
    both = {*_arguments.SendArguments.__annotations__, *_arguments.EventArguments.__annotations__}
    assert set(_arguments.EventsArguments.__annotations__) == both


def test_the_types_name_what_airflow_takes() -> None:
    there = own(BaseOperator) - GONE_IN_AIRFLOW_3
    named = set(operator_arguments.BaseOperatorArguments.__annotations__)
    assert named - there <= NOT_IN_EACH
    if VERSION <= (3, 3):
        assert there <= named
    sensors = set(operator_arguments.BaseSensorArguments.__annotations__)
    assert sensors - set(operator_arguments.BaseOperatorArguments.__annotations__) == own(BaseSensorOperator) - {
        "poke_interval"
    }


REFUSED: dict[str, Callable[[], object]] = {
    "upload": lambda: UploadContactsOperator(task_id="a", esp_conn_id="e", source=[], sorce=[]),  # type: ignore[call-arg]  # misspelled
    "send": lambda: SmartSendOperator(task_id="a", esp_conn_id="e", message_id=1, source=[], supress=[]),  # type: ignore[call-arg]  # misspelled
    "events": lambda: SendEventsOperator(task_id="a", esp_conn_id="e", event="x", source=[], on_unknwon="skip"),  # type: ignore[call-arg]  # misspelled
    "one event": lambda: SendEventOperator(task_id="a", esp_conn_id="e", event="x", source=[]),  # type: ignore[call-arg]  # it has none
    "broadcast": lambda: CreateBroadcastOperator(task_id="a", esp_conn_id="e", max_latenes="1h"),  # type: ignore[call-arg]  # misspelled
    "options": lambda: CreateBroadcastOperator(task_id="a", esp_conn_id="e", options=EsputnikBroadcast(batch_sise=5)),  # type: ignore[call-arg]  # misspelled
    "sensor": lambda: ImportSensor(task_id="a", esp_conn_id="e", import_ids="1", sofft_fail=True),  # type: ignore[call-arg]  # misspelled
    "no connection": lambda: UploadContactsOperator(task_id="a", source=[]),  # type: ignore[call-arg]  # it is missing
    "no source": lambda: SmartSendOperator(task_id="a", esp_conn_id="e", message_id=1),  # type: ignore[call-arg]  # it is missing
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_what_mypy_refuses_airflow_refuses_when_the_dag_is_parsed(make: Callable[[], object]) -> None:
    with pytest.raises((AirflowException, TypeError), match="argument"):
        make()


def test_options_are_those_of_the_operator() -> None:
    with pytest.raises(TypeError, match=r"options= takes EsputnikUpload\(...\) or SendPulseUpload\(...\), written"):
        UploadContactsOperator(task_id="a", esp_conn_id="e", source=[], options=EsputnikBroadcast())  # type: ignore[arg-type]  # another operator's


def test_what_is_inherited_has_its_type() -> None:
    with pytest.raises(ValueError, match="on_empty"):
        SmartSendOperator(task_id="a", esp_conn_id="e", message_id=1, source=[], on_empty="no")  # type: ignore[arg-type]  # no such choice
    assert (
        UploadContactsOperator(task_id="a", esp_conn_id="e", source=[], report_path="r", max_rejects="1%").retries == 0
    )
