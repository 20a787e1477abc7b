"""Check that a classic netCDF file is as long as its header says."""

from __future__ import annotations

import itertools
import math
import struct
from pathlib import Path

from mpcf.errors import DataError

_UNSET = 0xFFFFFFFF


def check_whole(path: Path) -> None:
    """
    Check that a classic netCDF file is not shorter than its header says.

    The netCDF library reads the missing part as zeros. Files of netCDF-4 need no such check: their
    library rejects files that are cut short.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DataError
        If it is cut short, or its header is damaged.
    FileNotFoundError
        If it is not there.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(3) != b"CDF":
            return
        try:
            needed = _classic_size(file)
        except (struct.error, KeyError, ValueError, MemoryError, OverflowError) as error:
            raise DataError(f"{path} has a damaged header; get it again") from error
    if needed is not None and size + 3 < needed:
        raise DataError(
            f"{path} is cut short: it has {size} bytes of {needed}; get it again (what is missing "
            "would be read as zeros)"
        )


def _classic_size(file) -> int | None:
    """Return the size in bytes that a file's header implies; None if it does not say."""
    version = file.read(1)[0]
    if version not in (1, 2, 5):
        raise ValueError("unknown version")
    wide, offset = (">q" if version == 5 else ">i"), (">i" if version == 1 else ">q")
    types = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}

    def number(form: str = wide) -> int:
        value = struct.unpack(form, file.read(struct.calcsize(form)))[0]
        if value < 0:
            raise ValueError("negative number")
        return value

    def skip(count: int) -> None:
        if count > 2**30:
            raise ValueError("no such length")
        file.seek(-(-count // 4) * 4, 1)

    def entries() -> range:
        tag, count = number(">i"), number()
        if (tag == 0 and count) or tag not in (0, 10, 11, 12) or count > 100_000:
            raise ValueError("no list")
        return range(count)

    def attributes() -> None:
        for _ in entries():
            skip(number())
            kind, count = number(">i"), number()
            skip(types[kind] * count)

    raw = file.read(4 if version != 5 else 8)
    records = struct.unpack(">I" if version != 5 else ">Q", raw)[0]
    lengths = []
    for _ in entries():
        skip(number())
        lengths.append(number())
    attributes()
    places, records_at = [], []
    for _ in entries():
        skip(number())
        dims = [number() for _ in range(_least(number()))]
        attributes()
        kind, stated, begin = number(">i"), number(), number(offset)
        shape = [lengths[d] if d < len(lengths) else _refuse() for d in dims]
        is_record = bool(shape) and shape[0] == 0
        size = types[kind] * math.prod(shape[1:] if is_record else shape)
        # one record variable alone is not padded; a size too large for its field is not checked
        if stated not in (size, -(-size // 4) * 4) and size < 2**31 - 4:
            raise ValueError("a variable's size does not match its shape")
        (records_at if is_record else places).append((begin, size))
    header = file.tell()
    places.sort()
    for (begin, size), (following, _) in itertools.pairwise([(header, 0), *places]):
        if begin + size > following:
            raise ValueError("variables overlap")
    end = max((begin + size for begin, size in places), default=header)
    if records_at and records and records != _UNSET:
        alone = len(records_at) == 1
        step = sum(size if alone else -(-size // 4) * 4 for _, size in records_at)
        first = min(begin for begin, _ in records_at)
        if first < header or first + records * step > 2**62:
            raise ValueError("records overlap the header")
        end = max(end, first + records * step)
    return end


def _least(count: int) -> int:
    if count > 1024:
        raise ValueError("too many dimensions")
    return count


def _refuse() -> int:
    raise ValueError("no such dimension")
