"""Physical constants and conversions of units."""

from __future__ import annotations

FREEZING_POINT = 273.15
"""Melting point of water, K."""

SECONDS_PER_DAY = 86400.0

LATENT_HEAT_OF_FUSION = 3.337e5
"""J kg-1 (CLM technical note)."""

HEAT_CAPACITY_WATER = 4188.0
"""Specific heat of liquid water, J kg-1 K-1 (CLM technical note)."""

HEAT_CAPACITY_ICE = 2117.0
"""Specific heat of ice, J kg-1 K-1 (CLM technical note)."""

WATER_DENSITY = 1000.0
"""kg m-3: a millimetre of water is a kilogram per square metre."""

ICE_DENSITY = 917.0
"""kg m-3 (CLM technical note)."""

GRAMS_PER_KG = 1000.0

EARTH_RADIUS = 6.37122e6
"""m, the sphere that CESM uses."""
