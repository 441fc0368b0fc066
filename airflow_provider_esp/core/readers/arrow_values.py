"""The values of an Arrow column as Python has them: times to the microsecond, single precision as it was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_esp.utils.single_floats import narrowed

Change = Callable[[Any], Any]


def values_of(column: Any) -> list[Any]:
    """Return a column's values; what is finer than microseconds is cut to them, inside of lists and structures too.

    :param column: pyarrow's.
    """
    wanted = _in_microseconds(column.type)
    if wanted != column.type:
        column = column.cast(wanted, safe=False)
    values: list[Any] = column.to_pylist()
    change = _narrowing(column.type)
    return values if change is None else [None if value is None else change(value) for value in values]


def _in_microseconds(kind: Any) -> Any:
    """Return a type without nanoseconds, which Python's times do not have."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz) if kind.unit == "ns" else kind
    if pa.types.is_time64(kind):
        return pa.time64("us")
    if pa.types.is_duration(kind):
        return pa.duration("us") if kind.unit == "ns" else kind
    if pa.types.is_struct(kind):
        return pa.struct([_field(kind.field(at)) for at in range(kind.num_fields)])
    if pa.types.is_map(kind):
        return pa.map_(_field(kind.key_field), _field(kind.item_field))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_field(kind.value_field), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(_field(kind.value_field))
    return pa.list_(_field(kind.value_field)) if pa.types.is_list(kind) else kind


def _field(field: Any) -> Any:
    return field.with_type(_in_microseconds(field.type))


def _narrowing(kind: Any) -> Change | None:
    """Return what is done to the values of a type in which numbers of single precision stand; None for any other."""
    import pyarrow as pa

    if pa.types.is_float32(kind):
        return narrowed
    if pa.types.is_dictionary(kind):
        return _narrowing(kind.value_type)
    if pa.types.is_struct(kind):
        return _of_struct({kind.field(at).name: _narrowing(kind.field(at).type) for at in range(kind.num_fields)})
    if pa.types.is_map(kind):
        return _of_map(_narrowing(kind.key_type), _narrowing(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _of_list(_narrowing(kind.value_type))
    return None


def _of_struct(changes: dict[str, Change | None]) -> Change | None:
    if not any(changes.values()):
        return None
    return lambda value: {name: _changed(changes.get(name), item) for name, item in value.items()}


def _of_map(key: Change | None, item: Change | None) -> Change | None:
    if key is None and item is None:
        return None
    return lambda value: [(_changed(key, one), _changed(item, other)) for one, other in value]


def _of_list(change: Change | None) -> Change | None:
    return None if change is None else lambda value: [_changed(change, item) for item in value]


def _changed(change: Change | None, value: Any) -> Any:
    return value if change is None or value is None else change(value)
