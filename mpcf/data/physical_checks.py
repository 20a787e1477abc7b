"""Check variables of a member against each other: soil water, its phases, and carbon."""

from __future__ import annotations

import numpy as np

from mpcf.data.samples import Sample, first_cell
from mpcf.data.variables import SOIL_WATER
from mpcf.errors import DataError
from mpcf.ground.constants import FREEZING_POINT, WATER_DENSITY

MAX_WATER = 1.1
"""m3 m-3, liquid water and ice in a layer, as water of 1000 kg m-3. Pure ice has 0.92, peat up to
0.95; the rest allows for models whose frozen layers are slightly oversaturated."""

MAX_PONDED = 10.0
"""kg m-2 of ponded water that the uppermost layer may hold beyond that."""

MAX_DEEP_WATER = 0.65
"""m3 m-3, the most that half of the land holds in a layer that begins below `DEEP`. Its soil is
mineral, with a porosity of up to 0.5 or 0.55."""

DEEP = 1.0
"""m."""

MIN_LAYER_WATER = 0.01
"""m3 m-3, the least that half of the land holds in a layer of the top 3 m."""

MIN_TOP_WATER = 0.04
"""m3 m-3, the least that half of the land holds in the uppermost layer."""

MIN_COLUMN_WATER = 0.08
"""m3 m-3, the least that half of the land holds in the top 3 m, on average over them."""

COLUMN_DEPTH = 3.0
"""m, depth of the column whose mean water is looked at."""

DRY = 0.07
"""m3 m-3; less in the whole column is near the wilting point of sand."""

DRY_RATIO = 0.2
"""The same as a share of what the wettest quarter of the land exceeds."""

HUMID = 300.0 / (365.0 * 86400.0)
"""kg m-2 s-1, precipitation of 300 mm a year: deserts and dry steppe have less."""

MAX_DRY = 2.0
"""Per cent of the land whose column may be dry in spite of that much precipitation."""

NO_WATER, SOME_WATER = 1e-6, 0.02
"""m3 m-3 of a layer without water, and of one with water."""

THAWED, FROZEN = 2.0, -10.0
"""°C, monthly means of soil that is clearly thawed and deeply frozen."""

MAX_ICE, MAX_LOCAL_ICE = 0.1, 0.5
"""Share of ice in the water of clearly thawed soil, over all land and in a column. Monthly means
of a layer that thaws or freezes within the month include remnants."""

MAX_UNFROZEN = 0.5
"""Share of liquid in the water of deeply frozen soil of a column, where it is also more than
`MAX_UNFROZEN_WATER`: with little water, clay holds all of it unfrozen at −10 °C in models with
freezing-point depression."""

MAX_UNFROZEN_WATER = 0.35
"""m3 m-3 of liquid water in deeply frozen soil; that depression leaves 0.26 in clay and 0.31 in
decomposed peat."""

MAX_ODD = 0.5
"""Per cent of the land that may exceed the local bounds of phases, since glaciers at the margin of
a cell may be part of its means, or hold an empty layer, as simple models of deserts do; such cells
are noted."""

MIN_SAMPLES = 3
"""Layers and months of a column, at least, from which its phases are judged."""

RESPIRATION = {"ra": (0.2, 0.9), "ra + rh": (0.6, 1.4)}
"""Bounds of plant respiration and of all respiration as a share of uptake, over land and years."""


def check_soil_water(sample: Sample) -> None:
    r"""Check that soil water and ice fit into their layers and agree with the temperature.

    .. math:: \theta = \frac{w_\mathrm{liquid} + w_\mathrm{ice}}{\rho \, \Delta z}

    Parameters
    ----------
    sample : Sample
        The sampled years of a member; columns that are unusually dry are added to its ``notes``.

    Raises
    ------
    DataError
        If :math:`\theta` is impossible in any column or over the land, a layer has water
        in some months only, or ice and liquid water are in soil too warm or too cold for them.
    """
    if not sample.has(*SOIL_WATER) or not sample.is_land.any():
        return
    liquid, ice = (sample.values(name) for name in SOIL_WATER)
    thickness = np.diff(sample.layers, axis=1).ravel()
    means = []
    for k, dz in enumerate(thickness):
        total = np.where(sample.is_land, liquid[:, k] + ice[:, k], np.nan)
        _check_too_wet(sample, total, k, dz)
        water = total / (WATER_DENSITY * dz)
        _check_empty_months(sample, water, k)
        means.append(water.mean(axis=0))
    _check_means(sample, np.stack(means), thickness)
    if sample.has("tsl"):
        _check_phases(sample, liquid, ice, thickness)


def _layer(sample: Sample, k: int) -> str:
    top, bottom = sample.layers[k]
    return f"the layer from {top:.3g} to {bottom:.3g} m"


def _check_too_wet(sample: Sample, total: np.ndarray, k: int, dz: float) -> None:
    """Check that no layer holds more water than fits into it, in any column."""
    over = total - WATER_DENSITY * dz * MAX_WATER - (0.0 if k else MAX_PONDED)
    if not (over > 0).any():
        return
    at = np.unravel_index(int(np.nanargmax(over)), over.shape)
    cells = (over > 0).any(axis=0)
    raise DataError(
        f"{sample.what(*SOIL_WATER)}: {_layer(sample, k)} holds {total[at]:.4g} kg m-2 of water "
        f"and ice in {sample.month(at[0])} at {sample.place(at[1:])}, "
        f"{total[at] / (WATER_DENSITY * dz):.2g} m3 in each m3 of soil, and too much in "
        f"{sample.share(cells):.1f} % of the land; look at the units (kg m-2 of each layer, not "
        "kg m-3, and not of all layers down to it) and at the bounds of the layers"
    )


def _check_empty_months(sample: Sample, water: np.ndarray, k: int) -> None:
    """Check that a layer that has water in some months is never without any."""
    with np.errstate(invalid="ignore"):
        empty = (water < NO_WATER) & (np.fmax.reduce(water, axis=0) > SOME_WATER)
    if not empty.any():
        return
    months = np.flatnonzero(empty.any(axis=(1, 2)))
    cells = empty.any(axis=0)
    text = (
        f"{sample.what(*SOIL_WATER)}: {_layer(sample, k)} has no water in {len(months)} of the "
        f"months in the years {sample.years}, such as {sample.month(months[0])} at "
        f"{sample.place(first_cell(cells))}, but has water in others ({sample.share(cells):.1f} % "
        "of the land); leave out the year in which the model wrote none, or get its file again"
    )
    if sample.share(cells) > MAX_ODD:
        raise DataError(text)
    sample.notes["empty months"] = text


def _check_means(sample: Sample, means: np.ndarray, thickness: np.ndarray) -> None:
    """Check the mean water of layers and columns (depth, lat, lon), m3 m-3."""
    advice = (
        "look at the units (kg m-2, not cm or m of water) and at the bounds of the layers, which "
        "may be in cm or number the layers"
    )
    for k, mean in enumerate(means):
        least = MIN_LAYER_WATER if k else MIN_TOP_WATER
        median = _quantile(mean, sample.area)
        if sample.layers[k, 0] >= DEEP and MAX_DEEP_WATER < median < np.inf:
            raise DataError(
                f"{sample.what(*SOIL_WATER)}: half of the land has more than {median:.2g} m3 of "
                f"water in each m3 of soil in {_layer(sample, k)}, in the years {sample.years}; up "
                f"to {MAX_DEEP_WATER:g} is plausible: look at the units (water of each layer, not "
                "of all layers down to it) and at the bounds of the layers"
            )
        if median < least and sample.layers[k, 0] < COLUMN_DEPTH:
            raise DataError(
                f"{sample.what(*SOIL_WATER)}: half of the land has less than {median:.2g} m3 of "
                f"water in each m3 of soil in {_layer(sample, k)}, in the years {sample.years}; at "
                f"least {least:g} is plausible: {advice}"
            )
    upper = np.clip(COLUMN_DEPTH - sample.layers[:, 0], 0, thickness)[:, None, None]
    depth = np.where(np.isnan(means), 0.0, upper)
    with np.errstate(invalid="ignore", divide="ignore"):
        column = (np.nan_to_num(means) * depth).sum(axis=0) / depth.sum(axis=0)
    median = _quantile(column, sample.area)
    if median < MIN_COLUMN_WATER:
        raise DataError(
            f"{sample.what(*SOIL_WATER)}: half of the land has less than {median:.2g} m3 of water "
            f"in each m3 of soil of the top {COLUMN_DEPTH:g} m, in the years {sample.years}; at "
            f"least {MIN_COLUMN_WATER:g} is plausible: {advice}"
        )
    if not sample.has("pr"):
        return
    humid = sample.values("pr").mean(axis=0) > HUMID
    with np.errstate(invalid="ignore"):
        dry = humid & (column < min(DRY, DRY_RATIO * _quantile(column, sample.area, 0.75)))
    share = sample.share(dry)
    if not share:
        return
    cell = np.unravel_index(int(np.nanargmin(np.where(dry, column, np.nan))), dry.shape)
    text = (
        f"{sample.what(*SOIL_WATER)}: {share:.1f} % of the land has less than a fifth of the water "
        f"of wetter soil in spite of more than 300 mm of precipitation a year, such as "
        f"{column[cell]:.2g} m3 m-3 in the top {COLUMN_DEPTH:g} m at {sample.place(cell)}; {advice}"
    )
    if share > MAX_DRY:
        raise DataError(text + ", in some of the columns only")
    sample.notes["dry columns"] = text


def _quantile(values: np.ndarray, area: np.ndarray, share: float = 0.5) -> float:
    """Return a quantile over the land, weighted by area; infinity where nothing is known."""
    known = ~np.isnan(values) & (area > 0)
    if not known.any():
        return np.inf
    order = np.argsort(values[known])
    summed = np.cumsum(area[known][order])
    return float(values[known][order][np.searchsorted(summed, share * summed[-1])])


def _check_phases(
    sample: Sample, liquid: np.ndarray, ice: np.ndarray, thickness: np.ndarray
) -> None:
    """Check that thawed soil holds little ice and deeply frozen soil much."""
    warm, cold = (_PhaseSums(sample) for _ in range(2))
    for k, dz in enumerate(thickness):
        celsius = sample.values("tsl")[:, k] - FREEZING_POINT
        known = sample.is_land & ~np.isnan(liquid[:, k] + ice[:, k])
        warm.add(known & (celsius > THAWED), ice[:, k], liquid[:, k], dz)
        cold.add(known & (celsius < FROZEN), liquid[:, k], ice[:, k], dz)
    with np.errstate(invalid="ignore", divide="ignore"):
        icy = warm.wrong / warm.total > MAX_LOCAL_ICE
        unfrozen = cold.wrong / cold.total > MAX_UNFROZEN
        unfrozen &= cold.wrong / (WATER_DENSITY * cold.depth) > MAX_UNFROZEN_WATER
    _refuse_phase(sample, warm, icy, f"ice in soil warmer than {THAWED:+g} °C", MAX_ICE)
    _refuse_phase(sample, cold, unfrozen, f"liquid in soil colder than {FROZEN:g} °C")


def _refuse_phase(
    sample: Sample, sums: _PhaseSums, bad: np.ndarray, what: str, most: float = 1.0
) -> None:
    """Raise an error, or note, that water is in the wrong phase over land or in bad columns."""
    bad = bad & (sums.count >= MIN_SAMPLES)
    if sums.share() <= most and not bad.any():
        return
    text = (
        f"{sample.what('tsl', *SOIL_WATER)}: {100 * sums.share():.2g} % of the water is {what} "
        f"(monthly means of the years {sample.years})"
    )
    if bad.any():
        with np.errstate(invalid="ignore", divide="ignore"):
            local = np.where(bad, sums.wrong / sums.total, -np.inf)
        cell = np.unravel_index(int(np.argmax(local)), bad.shape)
        text += (
            f", too much in {sample.share(bad):.2g} % of the land, such as {100 * local[cell]:.2g} "
            f"% at {sample.place(cell)}"
        )
    text += "; liquid water and ice may have changed places, or belong to other layers or months"
    if sums.share() > most or sample.share(bad) > MAX_ODD:
        raise DataError(text)
    sample.notes[what] = text


class _PhaseSums:
    """Sums by column over layers and months of some temperature."""

    def __init__(self, sample: Sample) -> None:
        self.area = sample.area
        self.wrong, self.total, self.depth, self.count = np.zeros((4, *sample.area.shape))

    def add(self, where: np.ndarray, wrong: np.ndarray, right: np.ndarray, dz: float) -> None:
        """Add a layer: its water (time, lat, lon) in the wrong and in the right phase."""
        self.wrong += np.where(where, wrong, 0.0).sum(axis=0)
        self.total += np.where(where, wrong + right, 0.0).sum(axis=0)
        self.count += where.sum(axis=0)
        self.depth += dz * where.sum(axis=0)

    def share(self) -> float:
        """Return the share of water in the wrong phase over all land; 0 where there is none."""
        total = float((self.total * self.area).sum())
        return float((self.wrong * self.area).sum()) / total if total > 0 else 0.0


def check_carbon(sample: Sample) -> None:
    """Check that respiration is in proportion to uptake over the land.

    Parameters
    ----------
    sample : Sample
        The sampled years of a member.

    Raises
    ------
    DataError
        If the share lies outside `RESPIRATION`.
    """
    if not sample.has("gpp", "ra"):
        return
    names = [name for name in ("gpp", "ra", "rh") if sample.has(name)]
    values = {name: sample.values(name).mean(axis=0) for name in names}
    known = sample.is_land & ~np.isnan(sum(values.values()))
    weight = np.where(known, sample.area, 0.0)
    sums = {name: float((np.nan_to_num(v) * weight).sum()) for name, v in values.items()}
    refuse_disproportion(sums, sample.what(*names), f"in the years {sample.years}")


def refuse_disproportion(sums: dict[str, float], what: str, when: str) -> None:
    """Raise an error if respiration is out of proportion to uptake.

    Parameters
    ----------
    sums : dict of str to float
        ``gpp`` and ``ra``, and ``rh`` where it is known, over land and years, in any one unit.
    what, when : str
        Names of the variables and the years, for the message.

    Raises
    ------
    DataError
        If the share lies outside `RESPIRATION`.

    Examples
    --------
    >>> refuse_disproportion({"gpp": 1.0, "ra": 0.5, "rh": 0.45}, "fluxes", "in the year 2000")
    """
    if not sums["gpp"] > 0:
        return
    shares = {"ra": sums["ra"] / sums["gpp"]}
    if "rh" in sums:
        shares["ra + rh"] = (sums["ra"] + sums["rh"]) / sums["gpp"]
    for name, share in shares.items():
        low, high = RESPIRATION[name]
        if not low <= share <= high:
            raise DataError(
                f"{what}: over the land, ({name}) / gpp is {share:.3g} {when}; {low:g} to {high:g} "
                "is plausible: one of them may be in kg of CO2 instead of carbon (44/12 times as "
                "much), in another unit, or another flux"
            )
