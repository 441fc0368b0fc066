"""How much a Parquet file may become in memory: a few hundred bytes of one can say gigabytes.

A text that stands once in a column's dictionary is repeated for each row that points to it, so the sizes in a file's
metadata say little about a batch of rows. The longest text of each dictionary decides how many rows are read at once.
Where even one cell would be too much, or a column unpacks as no honest one does, the file is refused.
"""

from __future__ import annotations

from itertools import groupby
from typing import IO, Any, Final

from airflow_provider_esp.exceptions import SourceError

_BATCH: Final = 64 * 2**20
_CELL: Final = 8 * 2**20
_TIMES: Final = 1000
_POINTER: Final = 8


def runs_of(file: Any, stream: IO[bytes], rows: int, origin: str) -> list[tuple[int, list[int]]]:
    """Return which row groups to read with how many rows in a batch, in the file's order.

    :param file: pyarrow's ParquetFile.
    :param stream: what it reads from.
    :param rows: how many rows to read at once where no text is long.
    :param origin: what messages call it.
    :raises SourceError: it would need too much memory.
    """
    groups = range(file.metadata.num_row_groups)
    sizes = [_rows_at_once(file, stream, group, rows, origin) for group in groups]
    return [(size, list(run)) for size, run in groupby(groups, sizes.__getitem__)]


def _rows_at_once(file: Any, stream: IO[bytes], group: int, rows: int, origin: str) -> int:
    row_group = file.metadata.row_group(group)
    fewest = rows
    for at in range(row_group.num_columns):
        chunk, leaf = row_group.column(at), file.schema.column(at)
        packed = max(1, chunk.total_compressed_size)
        _check(chunk.total_uncompressed_size, packed, chunk.path_in_schema, origin)
        values = chunk.num_values if leaf.max_repetition_level else min(rows, row_group.num_rows)
        longest = 0
        if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY":
            longest = leaf.length
        elif leaf.physical_type == "BYTE_ARRAY" and _may_repeat(chunk, values):
            longest = _longest_of_dictionary(file, stream, group, chunk.path_in_schema)
        if longest > _CELL:
            raise SourceError(
                f"{origin}: column {chunk.path_in_schema!r} has a value of {longest:,} bytes, and {_CELL:,} is the "
                "most; leave it out of the file."
            )
        if leaf.max_repetition_level:
            _check(chunk.num_values * max(longest, _POINTER), packed, chunk.path_in_schema, origin)
        elif longest:
            fewest = min(fewest, max(1, _BATCH // longest))
    return fewest


def _check(unpacked: int, packed: int, column: str, origin: str) -> None:
    if unpacked > _BATCH and unpacked > _TIMES * packed:
        raise SourceError(
            f"{origin}: column {column!r} would unpack from {packed:,} bytes to {unpacked:,} in one row group, which "
            "no list of people does. If it is meant, write it again with fewer rows in a row group."
        )


def _may_repeat(chunk: Any, values: int) -> bool:
    """Check whether so many values of a column may be more than a batch's memory holds, by repeating a few of them."""
    by_dictionary = any("DICTIONARY" in encoding for encoding in chunk.encodings)
    return chunk.num_values > 0 and by_dictionary and values * chunk.total_uncompressed_size > _BATCH


def _longest_of_dictionary(file: Any, stream: IO[bytes], group: int, column: str) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow.parquet import ParquetFile

    reader = ParquetFile(
        stream, metadata=file.metadata, read_dictionary=[column], buffer_size=1 << 20, pre_buffer=False
    )
    batches = reader.iter_batches(batch_size=1, row_groups=[group], columns=[column], use_threads=False)
    array = next(batches).column(0)
    while not pa.types.is_dictionary(array.type):
        if pa.types.is_struct(array.type) and array.type.num_fields == 1:
            array = array.field(0)
        elif pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_map(array.type):
            array = array.values
        else:
            return 0
    longest = pc.max(pc.binary_length(array.dictionary)).as_py()
    return int(longest or 0)
