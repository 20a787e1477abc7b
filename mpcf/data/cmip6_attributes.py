"""The attributes that the tables of CMIP6 prescribe for the variables that the book exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpcf.data.variables import MONTHLY

_LAND = "area: mean where land time: mean"
_AIR = "area: time: mean"
_MAP = "area: mean"

_PRESCRIBED = {
    "gpp": (
        "Carbon Mass Flux out of Atmosphere Due to Gross Primary Production on Land [kgC m-2 s-1]",
        _LAND,
    ),
    "ra": (
        "Carbon Mass Flux into Atmosphere Due to Autotrophic (Plant) Respiration on Land "
        "[kgC m-2 s-1]",
        _LAND,
    ),
    "rh": ("Total Heterotrophic Respiration on Land as Carbon Mass Flux [kgC m-2 s-1]", _LAND),
    "tas": ("Near-Surface Air Temperature", _AIR),
    "pr": ("Precipitation", _AIR),
    "tsl": ("Temperature of Soil", _LAND),
    "mrsll": ("Liquid Water Content of Soil Layer", _LAND),
    "mrsfl": ("Frozen Water Content of Soil Layer", _LAND),
    "snd": ("Snow Depth", _LAND),
    "cSoil": ("Carbon Mass in Model Soil Pool", _LAND),
    "cVeg": ("Carbon Mass in Vegetation", _LAND),
    "co2mass": ("Total Atmospheric Mass of CO2", _AIR),
    "sftlf": ("Percentage of the Grid Cell Occupied by Land (Including Lakes)", _MAP),
    "sftgif": ("Land Ice Area Percentage", _MAP),
    "areacella": ("Grid-Cell Area for Atmospheric Grid Variables", "area: sum"),
}
"""``long_name`` and ``cell_methods`` in the tables of CMIP6, by variable."""

_CO2_MASS = {"standard_name": "atmosphere_mass_of_carbon_dioxide", "units": "kg"}


def cmip6_attributes(name: str, dims: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    """
    Return the attributes of a variable by the tables of CMIP6.

    Parameters
    ----------
    name : str
        CMIP6 short name, or that of a variable of the book's own table.
    dims : sequence of str
        Its dimensions.
    own : mapping of str to str
        Its attributes in the standard dataset. What they say beyond the tables becomes ``comment``.

    Returns
    -------
    dict of str to str
        ``long_name, units, cell_methods``, and where they apply ``standard_name, positive,
        cell_measures, comment``.

    Examples
    --------
    >>> attrs = cmip6_attributes("cVeg", ("time", "lat", "lon"), {"cell_methods": "time: point"})
    >>> attrs["cell_methods"], attrs["comment"]
    ('area: mean where land time: mean', 'values at the end of the month')
    """
    variable = MONTHLY.get(name)
    said = own.get("long_name") or (variable.long_name if variable else name)
    long_name, cell_methods = _PRESCRIBED.get(name, (said, "time: mean"))
    attrs = {"long_name": long_name, "cell_methods": cell_methods}
    attrs |= {"units": variable.units} if variable else _CO2_MASS
    comments = []
    if variable:
        if variable.standard_name:
            attrs["standard_name"] = variable.standard_name
        if variable.positive == "out of land":
            attrs["positive"] = "up"
        if said not in (long_name, variable.long_name):
            comments.append(said)
    if own.get("cell_methods") == "time: point":
        comments.append("values at the end of the month")
    if comments:
        attrs["comment"] = "; ".join(comments)
    if "lat" in dims and name != "areacella":
        attrs["cell_measures"] = "area: areacella"
    return attrs
