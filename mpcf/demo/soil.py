"""Soil layers: their grid and their thermal and hydraulic properties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpcf.demo.parameters import SOIL, SoilParameters

__all__ = [
    "LAYERS",
    "LAYER_EDGES",
    "SOIL_LAYERS",
    "THICKNESS",
    "WATER_DENSITY",
    "WET_LAYERS",
    "SoilLayers",
    "max_water",
    "node_depth",
    "soil_layers",
]

THICKNESS = np.array(
    [0.05, 0.07, 0.10, 0.14, 0.18, 0.22, 0.26, 0.30, 0.36, 0.44, 0.55, 0.80, 1.30, 2.20, 3.50]
)
"""Thickness of the layers, m: 10.47 m in all."""

LAYERS = THICKNESS.size
"""Number of layers."""

WET_LAYERS = 12
"""Number of layers in which water moves and that hold carbon, which reach 3.47 m."""

SOIL_LAYERS = 14
"""Number of soil layers, which reach 6.97 m. Below those in which water moves, the pores are full;
below the soil there is bedrock without water."""

LAYER_EDGES = np.concatenate([[0.0], np.cumsum(THICKNESS[:SOIL_LAYERS])])
"""Depth of the boundaries of the soil layers, m."""

WATER_DENSITY = 1000.0
"""kg m-3."""


@dataclass(frozen=True)
class SoilLayers:
    """Constants of all layers.

    Attributes
    ----------
    thickness : ndarray (layer,)
        m.
    porosity : ndarray (layer,)
        m3 m-3; zero in bedrock.
    capacity : ndarray (layer,)
        Heat capacity of the solids, J m-2 K-1.
    log_frozen, log_thawed : ndarray (layer,)
        Natural logarithm of the conductivity (W m-1 K-1) of soil saturated with ice and with
        liquid water.
    dry : ndarray (layer,)
        Conductivity of dry soil, W m-1 K-1.
    roots : ndarray (layer,)
        Share of all roots.
    """

    thickness: np.ndarray
    porosity: np.ndarray
    capacity: np.ndarray
    log_frozen: np.ndarray
    log_thawed: np.ndarray
    dry: np.ndarray
    roots: np.ndarray


def soil_layers(parameters: SoilParameters = SOIL) -> SoilLayers:
    """Return the layers: organic at the top, mineral below, bedrock from 6.97 m down.

    Parameters
    ----------
    parameters : SoilParameters
        Properties of organic and mineral soil and of bedrock.

    Returns
    -------
    SoilLayers
        The constants of all layers.

    Examples
    --------
    >>> layers = soil_layers()
    >>> bool(layers.porosity[0] > layers.porosity[11]), float(layers.porosity[14])
    (True, 0.0)
    """
    p = parameters
    middle = np.cumsum(THICKNESS) - 0.5 * THICKNESS
    organic = np.exp(-middle / p.organic_scale)
    is_soil = np.arange(LAYERS) < SOIL_LAYERS

    def mix(mineral, peat):
        return mineral + (peat - mineral) * organic

    porosity = np.where(is_soil, mix(p.porosity_mineral, p.porosity_organic), 0.0)
    solid = np.where(
        is_soil,
        (1.0 - porosity) * mix(p.capacity_mineral, p.capacity_organic),
        p.capacity_rock,
    )
    log_solid = np.where(
        is_soil,
        mix(np.log(p.conductivity_mineral), np.log(p.conductivity_organic)),
        np.log(p.conductivity_rock),
    )
    dry = np.exp(mix(np.log(p.dry_mineral), np.log(p.dry_organic)))
    roots = np.where(is_soil, np.exp(-middle / p.root_scale) * THICKNESS, 0.0)
    # Geometric mean of the solids and of what fills the pores (Johansen 1975, as in CLM).
    log_frozen = (1.0 - porosity) * log_solid + porosity * np.log(p.conductivity_ice)
    log_thawed = (1.0 - porosity) * log_solid + porosity * np.log(p.conductivity_water)
    return SoilLayers(
        THICKNESS,
        porosity,
        solid * THICKNESS,
        log_frozen,
        log_thawed,
        dry,
        roots / roots.sum(),
    )


def max_water(layers: SoilLayers) -> np.ndarray:
    """Return the water that fills the pores of the layers in which water moves.

    Parameters
    ----------
    layers : SoilLayers
        From `soil_layers`.

    Returns
    -------
    ndarray (layer,)
        kg m-2.

    Examples
    --------
    >>> max_water(soil_layers())[:2].round(1)
    array([38.3, 48.9])
    """
    return WATER_DENSITY * (layers.porosity * layers.thickness)[:WET_LAYERS]


def node_depth(layers: SoilLayers) -> np.ndarray:
    """Return the depth of the middle of the soil layers.

    Parameters
    ----------
    layers : SoilLayers
        From `soil_layers`.

    Returns
    -------
    ndarray (layer,)
        m.

    Examples
    --------
    >>> node_depth(soil_layers())[:3].round(3)
    array([0.025, 0.085, 0.17 ])
    """
    return (np.cumsum(layers.thickness) - 0.5 * layers.thickness)[:SOIL_LAYERS]
