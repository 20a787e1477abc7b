"""Compiled sums and products of vectors, from which the least-squares kernels are built."""

from __future__ import annotations

import numba

EXACT = {"nogil": True, "cache": True, "error_model": "numpy"}
"""Compiler options of kernels whose operations must keep their order."""

FAST = EXACT | {"fastmath": {"contract", "reassoc", "nsz"}}
"""Compiler options of sums, which may be reordered to use vector instructions."""


@numba.njit(**FAST)
def dot(a, b):
    """Return the sum of the products of two vectors."""
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@numba.njit(**FAST)
def add_up(a):
    """Return the sum of a vector."""
    total = 0.0
    for i in range(a.size):
        total += a[i]
    return total


@numba.njit(**EXACT)
def subtract_scaled(a, factor, b):
    """Subtract a multiple of b from a, in place."""
    for i in range(a.size):
        a[i] -= factor * b[i]


@numba.njit(**EXACT)
def multiply_into(a, b, product):
    """Write the products of two vectors into a third."""
    for i in range(a.size):
        product[i] = a[i] * b[i]
