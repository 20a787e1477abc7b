"""The Moisture-amplified Permafrost Carbon Feedback, as a library."""

from mpcf import _numba_cache

_numba_cache.set_folder()
