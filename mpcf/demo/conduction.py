"""Heat conduction in a soil column with freezing and thaw; numba kernels.

The state of a layer is its enthalpy H (J m-2; zero is soil and liquid water at 0 °C) and its
water w (kg m-2, liquid and ice), so that phase change needs no bookkeeping:

    T > 0:  H = (c_soil + c_water w) T
    T ≤ 0:  H = (c_soil + c_ice w) T - L w (1 - f),   f = 1 / (1 - T/T*)

f is the liquid share. Conduction is implicit and solved by Newton's method on enthalpy, which
conserves energy to rounding.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import asdict

import numba
import numpy as np

from mpcf.demo.parameters import SOIL, SoilParameters

__all__ = [
    "KernelParameters",
    "conduct",
    "conductivity",
    "enthalpy_of",
    "kernel_parameters",
    "temperature_of",
]

# Rows of `work`. They are read in place: with a separate array for a row, numba counts references,
# which took more than a tenth of the time of a step.
GUESS, TRIAL, SLOPE, FACTOR, CHANGE, THAWED, HALF_FROZEN, BEND = range(8)

MAX_ITERATIONS = 30
"""Newton iterations after which a step is accepted without convergence."""

MIN_SATURATION = 1e-6
"""Saturation below which conductivity no longer falls; its logarithm needs a limit."""

LOG10_E = 0.4342944819032518

KernelParameters = namedtuple("KernelParameters", list(SoilParameters.__dataclass_fields__))


def kernel_parameters(parameters: SoilParameters = SOIL) -> KernelParameters:
    """Return the parameters as a named tuple, which kernels can read.

    Parameters
    ----------
    parameters : SoilParameters
        Heat and water of the column.

    Returns
    -------
    KernelParameters
        The same values under the same names.

    Examples
    --------
    >>> kernel_parameters().step
    5.0
    """
    return KernelParameters(**asdict(parameters))


@numba.njit(cache=True, error_model="numpy")
def temperature_of(enthalpy, water, capacity, p):
    """Return the temperature of a layer from its enthalpy and water.

    Parameters
    ----------
    enthalpy : float
        J m-2.
    water : float
        Liquid and ice, kg m-2.
    capacity : float
        Heat capacity of the solids, J m-2 K-1.
    p : KernelParameters
        From `kernel_parameters`.

    Returns
    -------
    temperature : float
        °C.
    liquid_share : float
        Liquid part of the water.
    slope : float
        Change of temperature with enthalpy, K m2 J-1.

    Examples
    --------
    >>> temperature_of(-3.337e6, 20.0, 1e5, kernel_parameters())[1] < 0.55
    True
    """
    if enthalpy >= 0.0:
        slope = 1.0 / (capacity + p.capacity_water * water)
        return enthalpy * slope, 1.0, slope
    frozen = capacity + p.capacity_ice * water
    # With x = -T the definition is frozen x² + b x + H T* = 0, and dx/d(-H) = (x + T*)/root.
    b = frozen * p.freezing_range + p.latent_heat * water + enthalpy
    root = np.sqrt(b * b - 4.0 * frozen * enthalpy * p.freezing_range)
    x = 0.5 * (root - b) / frozen
    return -x, p.freezing_range / (p.freezing_range + x), (x + p.freezing_range) / root


@numba.njit(cache=True, error_model="numpy")
def enthalpy_of(temperature, water, capacity, p):
    """Return the enthalpy of a layer from its temperature and water: inverts `temperature_of`.

    Parameters
    ----------
    temperature : float
        °C.
    water : float
        Liquid and ice, kg m-2.
    capacity : float
        Heat capacity of the solids, J m-2 K-1.
    p : KernelParameters
        From `kernel_parameters`.

    Returns
    -------
    float
        J m-2.

    Examples
    --------
    >>> enthalpy_of(2.0, 0.0, 1e5, kernel_parameters())
    200000.0
    """
    if temperature >= 0.0:
        return (capacity + p.capacity_water * water) * temperature
    ice = water * temperature / (temperature - p.freezing_range)
    return (capacity + p.capacity_ice * water) * temperature - p.latent_heat * ice


@numba.njit(cache=True, error_model="numpy")
def conductivity(saturation, liquid_share, log_frozen, log_thawed, dry):
    """Return the thermal conductivity of soil (Johansen 1975, as in CLM).

    Parameters
    ----------
    saturation : float
        Liquid and ice per pore space.
    liquid_share : float
        Liquid part of the water.
    log_frozen, log_thawed : float
        Natural logarithm of the conductivity (W m-1 K-1) when saturated with ice and with water.
    dry : float
        Conductivity of dry soil, W m-1 K-1.

    Returns
    -------
    float
        W m-1 K-1.

    Examples
    --------
    >>> round(conductivity(1.0, 1.0, np.log(2.5), np.log(1.5), 0.2), 6)
    1.5
    """
    saturated = np.exp(log_frozen + liquid_share * (log_thawed - log_frozen))
    wet = min(max(saturation, MIN_SATURATION), 1.0)
    thawed = max(LOG10_E * np.log(wet) + 1.0, 0.0)
    kersten = liquid_share * thawed + (1.0 - liquid_share) * wet
    return kersten * saturated + (1.0 - kersten) * dry


@numba.njit(cache=True, error_model="numpy")
def conduct(enthalpy, water, capacity, conductance, surface, air, below, seconds, p, work):
    """Advance heat conduction by one step, implicitly, by Newton's method on enthalpy.

    Parameters
    ----------
    enthalpy : ndarray (layer,)
        J m-2; at least three layers, changed in place.
    water : ndarray (layer,)
        kg m-2.
    capacity : ndarray (layer,)
        Heat capacity of the solids, J m-2 K-1.
    conductance : ndarray (layer - 1,)
        Between neighbouring layers, W m-2 K-1.
    surface : float
        Conductance from the air to the middle of the first layer, W m-2 K-1.
    air : float
        Temperature of the air, or of melting snow, °C.
    below : float
        Heat flux from below, W m-2.
    seconds : float
        Length of the step.
    p : KernelParameters
        From `kernel_parameters`.
    work : ndarray (8 or more, layer)
        Scratch space.

    Returns
    -------
    heat : float
        Heat that entered through the surface and from below, J m-2.
    iterations : int
        Newton iterations that were needed.
    """
    n = enthalpy.size
    middle = n // 2
    for i in range(n):
        work[GUESS, i] = enthalpy[i]
        work[THAWED, i] = 1.0 / (capacity[i] + p.capacity_water * water[i])
        frozen = capacity[i] + p.capacity_ice * water[i]
        work[HALF_FROZEN, i] = 0.5 / frozen
        work[BEND, i] = frozen * p.freezing_range + p.latent_heat * water[i]
    iterations = 0
    for _ in range(MAX_ITERATIONS):
        # As in `temperature_of`, with all constants computed outside the loop.
        for i in range(n):
            if work[GUESS, i] >= 0.0 or water[i] == 0.0:
                work[SLOPE, i] = work[THAWED, i]
                work[TRIAL, i] = work[GUESS, i] * work[THAWED, i]
            else:
                b = work[BEND, i] + work[GUESS, i]
                root = np.sqrt(
                    b * b - 2.0 * work[GUESS, i] * p.freezing_range / work[HALF_FROZEN, i]
                )
                x = (root - b) * work[HALF_FROZEN, i]
                work[TRIAL, i] = -x
                work[SLOPE, i] = (x + p.freezing_range) / root
        # The Newton correction solves a tridiagonal system. It is eliminated from both ends
        # towards the middle, so that the processor can work on both halves at once.
        g_up = surface
        from_above = surface * (air - work[TRIAL, 0])
        factor = 0.0
        above = 0.0
        for i in range(middle):
            g_down = conductance[i]
            down = g_down * (work[TRIAL, i] - work[TRIAL, i + 1])
            r = enthalpy[i] + seconds * (from_above - down) - work[GUESS, i]
            diagonal = 1.0 + seconds * (g_up + g_down) * work[SLOPE, i]
            if i > 0:
                lower = seconds * g_up * work[SLOPE, i - 1]
                diagonal -= lower * factor
                r += lower * above
            factor = seconds * g_down * work[SLOPE, i + 1] / diagonal
            above = r / diagonal
            work[FACTOR, i] = factor
            work[CHANGE, i] = above
            from_above, g_up = down, g_down
        g_down = 0.0
        from_below = below
        factor_below = 0.0
        beneath = 0.0
        for i in range(n - 1, middle, -1):
            g = conductance[i - 1]
            up = g * (work[TRIAL, i] - work[TRIAL, i - 1])
            r = enthalpy[i] + seconds * (from_below - up) - work[GUESS, i]
            diagonal = 1.0 + seconds * (g + g_down) * work[SLOPE, i]
            if i < n - 1:
                upper = seconds * g_down * work[SLOPE, i + 1]
                diagonal -= upper * factor_below
                r += upper * beneath
            factor_below = seconds * g * work[SLOPE, i - 1] / diagonal
            beneath = r / diagonal
            work[FACTOR, i] = factor_below
            work[CHANGE, i] = beneath
            from_below, g_down = up, g
        lower = seconds * g_up * work[SLOPE, middle - 1]
        upper = seconds * g_down * work[SLOPE, middle + 1]
        r = enthalpy[middle] + seconds * (from_above + from_below) - work[GUESS, middle]
        diagonal = 1.0 + seconds * (g_up + g_down) * work[SLOPE, middle]
        diagonal -= lower * factor + upper * factor_below
        work[CHANGE, middle] = (r + lower * above + upper * beneath) / diagonal
        for i in range(middle - 1, -1, -1):
            work[CHANGE, i] += work[FACTOR, i] * work[CHANGE, i + 1]
        for i in range(middle + 1, n):
            work[CHANGE, i] += work[FACTOR, i] * work[CHANGE, i - 1]
        largest = 0.0
        for i in range(n):
            work[GUESS, i] += work[CHANGE, i]
            largest = max(largest, abs(work[CHANGE, i]) * work[SLOPE, i])
        iterations += 1
        if largest < p.tolerance:
            break
    # The linearised fluxes of the last Newton step conserve energy, so this is exact.
    heat = seconds * (surface * (air - work[TRIAL, 0] - work[SLOPE, 0] * work[CHANGE, 0]) + below)
    for i in range(n):
        enthalpy[i] = work[GUESS, i]
    return heat, iterations
