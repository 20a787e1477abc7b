"""Convert units, as models spell them, to those of the standard dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mpcf.errors import DataError
from mpcf.ground.constants import FREEZING_POINT, WATER_DENSITY

# symbol: (size in SI units, exponents of kg, m, s, K)
_SYMBOLS = {
    "kg": (1.0, (1, 0, 0, 0)),
    "g": (1e-3, (1, 0, 0, 0)),
    **dict.fromkeys(("meter", "meters", "metre", "metres"), (1.0, (0, 1, 0, 0))),
    **dict.fromkeys(("centimeter", "centimeters", "centimetre"), (1e-2, (0, 1, 0, 0))),
    **dict.fromkeys(("millimeter", "millimeters", "millimetre"), (1e-3, (0, 1, 0, 0))),
    "km": (1e3, (0, 1, 0, 0)),
    "m": (1.0, (0, 1, 0, 0)),
    "cm": (1e-2, (0, 1, 0, 0)),
    "mm": (1e-3, (0, 1, 0, 0)),
    "s": (1.0, (0, 0, 1, 0)),
    "sec": (1.0, (0, 0, 1, 0)),
    "h": (3600.0, (0, 0, 1, 0)),
    "hr": (3600.0, (0, 0, 1, 0)),
    "d": (86400.0, (0, 0, 1, 0)),
    "day": (86400.0, (0, 0, 1, 0)),
    "K": (1.0, (0, 0, 0, 1)),
    "kelvin": (1.0, (0, 0, 0, 1)),
    "Kelvin": (1.0, (0, 0, 0, 1)),
    "%": (1e-2, (0, 0, 0, 0)),
    "percent": (1e-2, (0, 0, 0, 0)),
    "unitless": (1.0, (0, 0, 0, 0)),
    "fraction": (1.0, (0, 0, 0, 0)),
    "none": (1.0, (0, 0, 0, 0)),
    "mol": (1.0, (0, 0, 0, 0)),
    "umol": (1e-6, (0, 0, 0, 0)),
    "Pa": (1.0, (1, -1, -2, 0)),
    "hPa": (1e2, (1, -1, -2, 0)),
    "ppm": (1e-6, (0, 0, 0, 0)),
    "ppmv": (1e-6, (0, 0, 0, 0)),
}
_CARBON = {"gC": "g", "kgC": "kg"}
_CELSIUS = {"degc", "deg_c", "celsius", "degree_celsius", "degrees_celsius", "°c"}
_TERM = re.compile(r"(?P<symbol>[A-Za-z%]+?)(?:\^|\*\*)?(?P<power>[-+]?\d)?")


@dataclass(frozen=True)
class Conversion:
    """Conversion of a value to the wanted unit: ``value * factor + offset``."""

    factor: float
    offset: float = 0.0


def conversion(found: object, wanted: str, where: str, *, absent: str | None = None) -> Conversion:
    """
    Return how to convert one unit to another.

    Parameters
    ----------
    found : object
        The file's attribute ``units``; anything but text counts as none.
    wanted : str
        Unit of the standard dataset.
    where : str
        Variable, file and member, for the message.
    absent : str, optional
        What a missing unit means; by default it is an error.

    Returns
    -------
    Conversion
        Factor and offset. A depth of water (m, mm) is taken as its mass per area.

    Raises
    ------
    DataError
        If the unit is missing, unknown or of a different dimension.

    Examples
    --------
    >>> conversion("gC/m^2/s", "kg m-2 s-1", "GPP")
    Conversion(factor=0.001, offset=0.0)
    >>> conversion("mm/s", "kg m-2 s-1", "RAIN")
    Conversion(factor=1.0, offset=0.0)
    >>> conversion("degC", "K", "TSA")
    Conversion(factor=1.0, offset=273.15)
    """
    text = found.strip() if isinstance(found, str) else ""
    if not text and absent is not None:
        text = absent
    if not text:
        raise DataError(f"{where} has no units; set its attribute 'units', such as '{wanted}'")
    if wanted == "K" and text.lower() in _CELSIUS:
        return Conversion(1.0, FREEZING_POINT)
    size, kind = _parse(wanted) or (1.0, None)
    parsed = _parse(text)
    if parsed is None:
        raise DataError(f"{where} has the units '{text}', which are not known; convert to {wanted}")
    factor, found_kind = parsed
    if found_kind != kind and _as_mass(found_kind) == kind and kind[0] == 1:
        factor, found_kind = factor * WATER_DENSITY, kind
    if found_kind != kind:
        raise DataError(
            f"{where} has the units '{text}', which can't be converted to {wanted}; check "
            "that it is the right variable"
        )
    return Conversion(float(f"{factor / size:.14g}"))  # undoes the rounding of powers of ten


def _as_mass(kind: tuple[int, ...]) -> tuple[int, ...]:
    """Return the dimensions of a water depth or flux multiplied by a density."""
    return kind[0] + 1, kind[1] - 3, *kind[2:]


def _parse(text: str) -> tuple[float, tuple[int, ...]] | None:
    """Return the size in SI units and the exponents of kg, m, s, K; None if it is not known."""
    size, kind, sign = 1.0, [0, 0, 0, 0], 1
    for part in re.findall(r"/|[^\s/.*]+(?:\*\*[-+]?\d)?", text):
        if part == "/":
            sign = -1
            continue
        if part == "1":
            sign = 1
            continue
        term = _TERM.fullmatch(part)
        symbol = term and _CARBON.get(term["symbol"], term["symbol"])
        if symbol not in _SYMBOLS:
            return None
        power = sign * int(term["power"] or 1)
        unit, exponents = _SYMBOLS[symbol]
        size *= unit**power
        kind = [k + power * e for k, e in zip(kind, exponents, strict=True)]
        sign = 1
    return size, tuple(kind)
