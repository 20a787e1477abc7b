"""Check that a value stands for the mean of its month, not its maximum, last instant or sum."""

from __future__ import annotations

import re

from mpcf.errors import DataError

_OF_TIME = re.compile(r"\btime\s*:\s*(?:\w+\s*:\s*)*([A-Za-z]\w*)")
_MEANS = ("mean", "average", "avg")

CARBON_STORES = ("cSoil", "cVeg", "TOTSOMC", "TOTVEGC", "FATES_VEGC")
"""Variables that change so little in a month that one instant may stand for its mean."""
_INSTANTS = ("point", "instantaneous")


def check_is_mean(cell_methods: object, where: str, name: str = "") -> None:
    """
    Check that a variable holds means over its months.

    Files of one kind can hold both: CLM writes ``TSA:X`` in its namelist as the month's maximum,
    ``TSA:I`` as its last instant, under the same name and in the same file as means.

    Parameters
    ----------
    cell_methods : object
        The variable's attribute ``cell_methods``; one that does not mention time passes.
    where : str
        Variable, member and file, for the message.
    name : str, optional
        Name of the variable in the file.

    Raises
    ------
    DataError
        If it says anything else of time than a mean; of a carbon store, one instant is accepted.

    References
    ----------
    CF conventions, section 7.3 and appendix E.

    Examples
    --------
    >>> check_is_mean("area: mean where land time: mean (interval: 30 minutes)", "gpp")
    >>> check_is_mean("time: maximum", "TSA")
    Traceback (most recent call last):
    mpcf.errors.DataError: TSA holds 'time: maximum', not the mean of each month, ...
    """
    if not isinstance(cell_methods, str):
        return
    allowed = (*_MEANS, *_INSTANTS) if name in CARBON_STORES else _MEANS
    found = [method.lower() for method in _OF_TIME.findall(cell_methods)]
    if wrong := [method for method in found if method not in allowed]:
        raise DataError(
            f"{where} holds 'time: {wrong[0]}', not the mean of each month, by its attribute "
            "'cell_methods'; put the files of its mean there (for CLM, without :X, :M, :I or :S in "
            "the namelist), or correct the attribute if it is wrong"
        )
