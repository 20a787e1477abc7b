"""Units in any spelling are read right, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpcf.data.readers.units import conversion
from mpcf.errors import DataError


def spellings(terms):
    """Ways to write a product of units such as (("kg", 1), ("m", -2), ("s", -1))."""

    def power(symbol, exponent, mark):
        return symbol if exponent == 1 else f"{symbol}{mark}{exponent}"

    @st.composite
    def draw_one(draw):
        mark = draw(st.sampled_from(["", "^", "**"]))
        if draw(st.booleans()):
            return draw(st.sampled_from([" ", " . "])).join(power(s, e, mark) for s, e in terms)
        first, *rest = terms
        below = "".join(f"/{power(s, -e, mark)}" for s, e in rest)
        return draw(st.sampled_from(["", " "])) + power(*first, mark) + below

    return draw_one()


FLUXES = {"kg": 1.0, "kgC": 1.0, "g": 1e-3, "gC": 1e-3}


@given(data=st.data(), mass=st.sampled_from(sorted(FLUXES)))
def test_every_spelling_of_a_carbon_flux_means_the_same(data, mass):
    text = data.draw(spellings(((mass, 1), ("m", -2), ("s", -1))))
    found = conversion(text, "kg m-2 s-1", "X")
    assert (found.factor, found.offset) == (FLUXES[mass], 0.0)


@pytest.mark.parametrize(
    ("found", "wanted", "factor", "offset"),
    [
        ("gC/m^2", "kg m-2", 1e-3, 0.0),
        ("mm/s", "kg m-2 s-1", 1.0, 0.0),
        ("mm day-1", "kg m-2 s-1", 1 / 86400, 0.0),
        ("m s-1", "kg m-2 s-1", 1000.0, 0.0),
        ("kg/m2", "kg m-2", 1.0, 0.0),
        ("mm", "kg m-2", 1.0, 0.0),
        ("km^2", "m2", 1e6, 0.0),
        ("mm3/mm3", "1", 1.0, 0.0),
        ("m3 m-3", "1", 1.0, 0.0),
        ("fraction", "%", 100.0, 0.0),
        ("%", "%", 1.0, 0.0),
        ("mol/mol", "ppm", 1e6, 0.0),
        ("cm", "m", 0.01, 0.0),
        ("degC", "K", 1.0, 273.15),
        ("celsius", "K", 1.0, 273.15),
        ("K", "K", 1.0, 0.0),
    ],
)
def test_known_conversions(found, wanted, factor, offset):
    result = conversion(found, wanted, "X")
    assert result.factor == pytest.approx(factor, rel=1e-13)
    assert result.offset == offset


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("umol m-2 s-1", "kg m-2 s-1"),
        ("kg m-2", "kg m-2 s-1"),
        ("W m-2", "kg m-2 s-1"),
        ("kg m-2 s-1", "m"),
        ("m", "K"),
        ("degF", "K"),
        ("Pa", "ppm"),
        ("gC/(m2 s)", "kg m-2 s-1"),
        ("K", "%"),
        ("mm", "m2"),
    ],
)
def test_another_unit_is_refused_by_name(found, wanted):
    with pytest.raises(DataError, match="GPP of member 3 has the units"):
        conversion(found, wanted, "GPP of member 3")


@pytest.mark.parametrize("found", [None, "", "  ", 3, b"K", float("nan")])
def test_a_missing_unit_is_refused_unless_it_has_a_meaning(found):
    with pytest.raises(DataError, match="has no units"):
        conversion(found, "kg m-2 s-1", "X")
    assert conversion(found, "%", "X", absent="1").factor == 100.0


@given(st.text(max_size=20))
def test_any_text_gives_a_finite_factor_or_a_clear_error(text):
    try:
        found = conversion(text, "kg m-2 s-1", "X")
    except DataError:
        return
    assert 0 < found.factor < float("inf")
