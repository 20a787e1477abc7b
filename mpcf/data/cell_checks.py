"""Check which cells variables and members have values in, and whether members are copies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import xarray as xr

from mpcf.data.samples import Sample, first_cell, member_in_source
from mpcf.errors import DataError

COMPARED = ("gpp", "ra", "rh", "tas", "pr", "tsl", "mrsll", "mrsfl", "snd")
"""Variables whose cells are compared: fluxes, soil, snow and the air above them."""

SOIL = ("tsl", "mrsll", "mrsfl")
OVER_LAND = ("gpp", "ra", "rh", "snd")

MAX_MISSING = {True: 5.0, False: 10.0}
"""Per cent of the land that a variable may lack where others have values, with and without a map
of ice sheets: masks of air and land differ along coasts, those of fluxes and soil on ice sheets."""

MAX_DIFFERENT = 1.0
"""Per cent of the cells in which members may differ in having values."""

COMPARED_DEPTH = 3.0
"""m; members' soil is compared in layers that begin above it, since models may hold traces of water
in rock."""

MAX_FIRST_LAYER = 0.5
"""m; a thicker first layer does not resolve what the book looks at."""


class Traces:
    """What is kept of each member's sample, so that members can be compared.

    Attributes
    ----------
    known : dict of str to list of ndarray
        By variable and member, the cells ([depth,] lat, lon) with values.
    digests : dict of str to list of str
        By variable and member, a hash of the last year, empty where it is constant.
    members : list
        The members, by their coordinate.
    """

    def __init__(self) -> None:
        self.known: dict[str, list[np.ndarray]] = {}
        self.digests: dict[str, list[str]] = {}
        self.members: list[object] = []

    def add(self, sample: Sample) -> None:
        """Keep a member's cells and hashes.

        Parameters
        ----------
        sample : Sample
            The sampled years of a member.
        """
        self.members.append(sample.member)
        for name in COMPARED:
            if not sample.has(name):
                continue
            values = sample.values(name)
            self.known.setdefault(name, []).append(~np.isnan(values[-1]))
            last = np.ascontiguousarray(values[-12:])
            same = np.nanmin(last) == np.nanmax(last) if self.known[name][-1].any() else True
            digest = "" if same else hashlib.sha256(last.tobytes()).hexdigest()
            self.digests.setdefault(name, []).append(digest)


def check_cells(sample: Sample) -> None:
    """Check that fluxes, soil, snow and air have values in the same cells of the land.

    Parameters
    ----------
    sample : Sample
        The sampled years of a member; differences that masks along coasts may explain, and values
        over the sea, are added to its ``notes``.

    Raises
    ------
    DataError
        If a soil layer has no values above one that has, or a variable lacks more of the land
        than `MAX_MISSING`.
    """
    names = [name for name in COMPARED if sample.has(name)]
    known = {name: ~np.isnan(sample.values(name)[-1]) for name in names}
    for name in names:
        if name in SOIL:
            _check_column(sample, name, known[name])
            known[name] = known[name][0]
    land = np.zeros_like(sample.is_land)
    for name in names:
        if name in SOIL:
            land |= known[name]
        elif name in OVER_LAND:  # which models set to 0 where they have no soil
            land |= known[name] & (np.nan_to_num(sample.values(name)) != 0).any(axis=0)
    land &= sample.is_land
    most = MAX_MISSING["sftgif" in sample.monthly]
    for name in names:
        lacking = land & ~known[name]
        share = sample.share(lacking)
        if not share:
            continue
        text = (
            f"{sample.what(name)} has no values in {int(lacking.sum())} cells, {share:.1f} % of "
            f"the land, such as at {sample.place(first_cell(lacking))}, where other variables have "
            "values"
        )
        if share > most:
            raise DataError(
                f"{text}; a part of its file or store may be missing: get it again, or mask all "
                "variables in the same cells"
            )
        sample.notes[name] = f"{text}; sums and means of it leave out these cells"
    _note_sea(sample, known)


def _check_column(sample: Sample, name: str, known: np.ndarray) -> None:
    """Check that soil with values in a layer has them in all layers above."""
    hole = known[1:] & ~known[:-1] & sample.is_land
    if not hole.any():
        return
    k = int(np.argmax(hole.any(axis=(1, 2))))
    cells = hole.any(axis=0)
    raise DataError(
        f"{sample.what(name)} has no values from {sample.layers[k, 0]:.3g} to "
        f"{sample.layers[k, 1]:.3g} m down, but below, in {sample.share(cells):.1f} % of the land, "
        f"such as at {sample.place(first_cell(cells))}; the model may have written no water for "
        "that layer in its first month: leave out that year, or get its file again"
    )


def _note_sea(sample: Sample, known: dict[str, np.ndarray]) -> None:
    sea = np.nan_to_num(sample.values("sftlf")) <= 0
    found = {name: int((known[name] & sea).sum()) for name in OVER_LAND if name in known}
    if any(found.values()):
        names = ", ".join(name for name, count in found.items() if count)
        sample.notes["sea"] = (
            f"{names} of the source have values in up to {max(found.values())} cells without land, "
            "whose area does not count in sums and means over the land"
        )


def compare_cells(monthly: xr.Dataset, traces: Traces) -> dict[str, str]:
    """Return small differences between the cells in which members have values, and refuse others.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset.
    traces : Traces
        What was kept of all members.

    Returns
    -------
    dict of str to str
        By variable, a note on a small difference.

    Raises
    ------
    DataError
        If members differ in more of the cells than `MAX_DIFFERENT`.
    """
    depth = monthly["depth_bnds"].isel(bnds=0).values if "depth_bnds" in monthly else ()
    layers, notes = sum(top < COMPARED_DEPTH for top in depth), {}
    for name, masks in traces.known.items():
        if len(masks) < len(traces.members):
            continue
        for member, mask in zip(traces.members[1:], masks[1:], strict=True):
            differ = (mask != masks[0])[slice(layers) if mask.ndim == 3 else ...]
            differ = differ.any(axis=0) if differ.ndim == 3 else differ
            if not differ.any():
                continue
            row, column = first_cell(differ)
            share = 100.0 * differ.mean()
            text = (
                f"'{name}' of member {member_in_source(monthly, member)} and of member "
                f"{member_in_source(monthly, traces.members[0])} have values in different cells: "
                f"{int(differ.sum())} cells, {share:.1f} % of all, such as at latitude "
                f"{float(monthly['lat'][row]):.1f}, longitude {float(monthly['lon'][column]):.1f}"
            )
            if share > MAX_DIFFERENT:
                raise DataError(
                    f"{text}; members of one model have the same cells: get the files of the "
                    "member that lacks values, or has too many, again"
                )
            notes.setdefault(f"members' {name}", text)
    return notes


def compare_members(monthly: xr.Dataset, traces: Traces) -> str:
    """Check that no member is a copy of another, in any variable.

    Parameters
    ----------
    monthly : Dataset
        The standard monthly dataset.
    traces : Traces
        What was kept of all members.

    Returns
    -------
    str
        What was checked and found.

    Raises
    ------
    DataError
        If two members hold the same values of a variable in the last year.
    """
    if len(traces.members) == 1:
        return "there is one member"
    same: dict[tuple[int, int], list[str]] = {}
    for name, digests in traces.digests.items():
        if len(digests) < len(traces.members):
            continue
        for i, digest in enumerate(digests):
            first = digests.index(digest)
            if digest and first < i:
                same.setdefault((first, i), []).append(name)
    if same:
        (i, j), names = next(iter(same.items()))
        one, other = (member_in_source(monthly, traces.members[k]) for k in (i, j))
        raise DataError(
            f"members {one} and {other} hold the same values of {_listed(names)} in the last year: "
            "one was read twice, or a file of one lies in the folder or row of the other"
        )
    return f"{len(traces.members)} members are there, all different"


def _listed(names: Sequence[str]) -> str:
    """Write names as a list.

    Examples
    --------
    >>> _listed(["tas", "gpp"])
    "'tas', 'gpp'"
    """
    return ", ".join(f"'{name}'" for name in names)


def note_first_layer(monthly: xr.Dataset) -> list[str]:
    """Return a note if the first soil layer is thicker than `MAX_FIRST_LAYER`.

    Parameters
    ----------
    monthly : Dataset
        With ``depth_bnds`` (depth, bnds), m.

    Returns
    -------
    list of str
        Empty, or one note.

    Examples
    --------
    >>> note_first_layer(xr.Dataset({"depth_bnds": (("depth", "bnds"), [[0.0, 0.1]])}))
    []
    """
    if "depth_bnds" not in monthly:
        return []
    bottom = float(monthly["depth_bnds"].transpose("depth", "bnds").values[0, 1])
    if bottom <= MAX_FIRST_LAYER:
        return []
    return [
        f"the first soil layer reaches {bottom:.3g} m down; in most models it is thinner than "
        f"{MAX_FIRST_LAYER:g} m. Are the bounds of the layers in m, and not the numbers of the "
        "layers?"
    ]
