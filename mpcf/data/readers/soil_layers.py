"""Soil layers of land models, and liquid water where only total water is known."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mpcf.ground.constants import (
    FREEZING_POINT,
    ICE_DENSITY,
    LATENT_HEAT_OF_FUSION,
    WATER_DENSITY,
)

CLM5_THICKNESS = (
    *(0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.20, 0.24, 0.28, 0.32, 0.36, 0.40, 0.44, 0.54, 0.64),
    *(0.74, 0.84, 0.94, 1.04, 1.14, 2.390, 4.676, 7.635, 11.140, 15.115),
)
"""Thickness, m, of the 25 layers of CLM5: 20 of soil, 5 of bedrock."""
CLM5_NODES = (
    *(0.01, 0.04, 0.09, 0.16, 0.26, 0.40, 0.58, 0.80, 1.06, 1.36, 1.70, 2.08, 2.50, 2.99, 3.58),
    *(4.27, 5.06, 5.95, 6.94, 8.03, 9.795, 13.328, 19.483, 28.871, 41.998),
)
"""Depth, m, of the nodes of these layers."""

GRAVITY = 9.80616
"""m s-2 (CLM technical note)."""
LOAM_POROSITY = 0.489 - 0.00126 * 43
"""m3 m-3, of a loam with 43 % sand (Cosby et al. 1984, as in CLM)."""
LOAM_EXPONENT = 2.91 + 0.159 * 18
"""Exponent B of a loam with 18 % clay."""
LOAM_SUCTION = 0.01 * 10 ** (1.88 - 0.0131 * 43)
"""m, suction of the same loam at saturation."""

LIQUID_FORMULA = (
    "liquid water and ice were separated by the soil's monthly temperature: all liquid at "
    "or above 0 °C; below, at most the supercooled water of a loam (43 % sand, 18 % clay; Niu and "
    "Yang 2006, doi 10.1175/JHM538.1): the model itself did not write them"
)


def clm_thickness(nodes: np.ndarray) -> np.ndarray | None:
    """
    Return the thickness of the layers of CLM5 or CLM4.5, identified by their nodes.

    CLM4.5: nodes at 0.025 · (exp(0.5 · (i − 0.5)) − 1) m, edges halfway between them.

    Parameters
    ----------
    nodes : ndarray (depth,)
        Depths of the first or of all nodes, m.

    Returns
    -------
    ndarray (depth,) or None
        m; None if the nodes belong to neither.

    Examples
    --------
    >>> clm_thickness(np.array([0.01, 0.04, 0.09]))
    array([0.02, 0.04, 0.06])
    """
    i = np.arange(1, 16)
    old = 0.025 * (np.exp(0.5 * (i - 0.5)) - 1)
    edges = np.concatenate([[0.0], (old[:-1] + old[1:]) / 2, [1.5 * old[-1] - 0.5 * old[-2]]])
    for known, thickness in (
        (np.array(CLM5_NODES), np.array(CLM5_THICKNESS)),
        (old, np.diff(edges)),
    ):
        known, thickness = known[: nodes.size], thickness[: nodes.size]
        if known.size == nodes.size and np.allclose(nodes, known, rtol=2e-3, atol=1e-4):
            return thickness
    return None


def liquid_from_total(
    total: xr.DataArray, temperature: xr.DataArray, thickness: xr.DataArray
) -> xr.DataArray:
    r"""
    Return the liquid part of soil water, from its temperature.

    .. math:: w_{liq} \le 1000\,\Delta z\,\theta_{sat}
              \left(\frac{L_f (T_f - T)}{g\,T\,\psi_{sat}}\right)^{-1/B}, \quad T < T_f

    Parameters
    ----------
    total : DataArray (depth, ...)
        Liquid and frozen water of the layer, kg m-2.
    temperature : DataArray (depth, ...)
        Temperature of the same layers, K.
    thickness : DataArray (depth)
        Thickness of the layers, m.

    Returns
    -------
    DataArray (depth, ...)
        kg m-2; all of the water at or above 0 °C.

    References
    ----------
    Niu and Yang 2006, doi 10.1175/JHM538.1; texture by Cosby et al. 1984,
    doi 10.1029/WR020i006p00682.

    Examples
    --------
    >>> warm, cold = (xr.DataArray([t], dims="depth") for t in (280.0, 263.15))
    >>> water, metre = xr.DataArray([300.0], dims="depth"), xr.DataArray([1.0], dims="depth")
    >>> float(liquid_from_total(water, warm, metre)[0])
    300.0
    >>> round(float(liquid_from_total(water, cold, metre)[0]), 1)
    95.7
    """
    below = (FREEZING_POINT - temperature).clip(min=0)
    suction = LATENT_HEAT_OF_FUSION * below / (GRAVITY * temperature * LOAM_SUCTION)
    most = WATER_DENSITY * LOAM_POROSITY * thickness * suction.clip(min=1.0) ** (-1 / LOAM_EXPONENT)
    return xr.where(below > 0, np.minimum(total, most), total).astype(total.dtype)


def liquid_beside_ice(volume: xr.DataArray, ice: xr.DataArray) -> xr.DataArray:
    r"""
    Return the liquid water of a layer from the volume of its water and ice, and its ice.

    CLM's ``H2OSOI`` is a volume: :math:`\theta \Delta z = w_{liq} / 1000 + w_{ice} / 917`.

    .. math:: w_{liq} = 1000\,(\theta \Delta z - w_{ice} / 917)

    Parameters
    ----------
    volume : DataArray (depth, ...)
        Liquid water and ice, m3 per m2.
    ice : DataArray (depth, ...)
        kg m-2.

    Returns
    -------
    DataArray (depth, ...)
        kg m-2, not below zero.

    Examples
    --------
    >>> volume, ice = (xr.DataArray([v], dims="depth") for v in (0.3, 183.4))
    >>> round(float(liquid_beside_ice(volume, ice)[0]), 6)
    100.0
    """
    return (WATER_DENSITY * (volume - ice / ICE_DENSITY)).clip(min=0).astype(ice.dtype)


def ice_beside_liquid(volume: xr.DataArray, liquid: xr.DataArray) -> xr.DataArray:
    r"""
    Return the ice of a layer from the volume of its water and ice, and its liquid water.

    .. math:: w_{ice} = 917\,(\theta \Delta z - w_{liq} / 1000)

    Parameters
    ----------
    volume : DataArray (depth, ...)
        Liquid water and ice, m3 per m2; see `liquid_beside_ice`.
    liquid : DataArray (depth, ...)
        kg m-2.

    Returns
    -------
    DataArray (depth, ...)
        kg m-2, not below zero.

    Examples
    --------
    >>> volume, liquid = (xr.DataArray([v], dims="depth") for v in (0.3, 100.0))
    >>> round(float(ice_beside_liquid(volume, liquid)[0]), 6)
    183.4
    """
    return (ICE_DENSITY * (volume - liquid / WATER_DENSITY)).clip(min=0).astype(liquid.dtype)
