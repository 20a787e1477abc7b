"""Changes to the files of a CESM export that are held in memory."""

import numpy as np

from mpcf.data.readers import cesm
from mpcf.data.readers.fields import Piece

EDGES = np.array([0.0, 0.05, 0.12, 0.36, 1.02, 3.47])
"""Edges of the soil layers of the small ensemble, m."""


def read(stored):
    """Read members whose files are held in memory."""
    return cesm.read(
        {m: [Piece(path, m, raw) for path, raw in files.items()] for m, files in stored.items()}
    )


def copies(stored):
    return {m: {p: raw.copy() for p, raw in own.items()} for m, own in stored.items()}


def change(files, name, function):
    """Apply a function to every file of a variable."""
    for own in files.values():
        for path in [p for p in own if f".{name}." in p]:
            own[path] = function(own[path])


def everywhere(files, function):
    for own in files.values():
        for path in own:
            own[path] = function(own[path])


def with_values(raw, name, values, **attrs):
    return raw.assign({name: (raw[name].dims, values, raw[name].attrs | attrs)})


def rename(files, old, new, factor=1.0, **attrs):
    """Put a variable's files under another name."""
    for own in files.values():
        for path in [p for p in own if f".{old}." in p]:
            raw = own.pop(path).rename({old: new})
            own[path.replace(f".{old}.", f".{new}.")] = with_values(
                raw, new, raw[new].values * factor, **attrs
            )


def noted(found):
    return found.attrs.get("mpcf_notes", "")
