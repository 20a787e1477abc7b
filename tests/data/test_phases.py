"""Phases of an entry: any named periods in order, with warming among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpcf.data.phases import PHASES, UNTIL_NET_ZERO, read_phases
from mpcf.errors import CatalogError
from mpcf.figures.style import PHASE_COLOURS


def follow(names, lengths, first=1):
    """Phases of these lengths, one after the other."""
    found = {}
    for name, length in zip(names, lengths, strict=True):
        found[name] = [first, first + length - 1]
        first += length
    return found


@given(
    others=st.lists(
        st.sampled_from([*list(PHASES)[1:], "before", "second rise", "plateau 2"]),
        unique=True,
        max_size=5,
    ),
    at=st.integers(0, 5),
    lengths=st.lists(st.integers(1, 200), min_size=6, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_any_ordered_list_with_warming_is_read(others, at, lengths, order):
    names = [*others[:at], "warming", *others[at:]]
    phases = follow(names, lengths[: len(names)])
    written = list(phases.items())
    order.shuffle(written)
    assert list(read_phases("mine", dict(written)).items()) == [
        (name, tuple(years)) for name, years in phases.items()
    ]


@pytest.mark.parametrize("raw", [None, {}, {"warming": None}, dict.fromkeys(PHASES)])
def test_phases_that_are_not_set_are_none(raw):
    assert read_phases("mine", raw) == {}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("net zero", "net-zero"),
        ("netzero", "net-zero"),
        ("net-removal", "net removal"),
        ("Mitigation", "mitigation"),
        ("mitigaton", "mitigation"),
    ],
)
def test_a_misspelt_phase_is_no_phase_of_ones_own(name, meant):
    with pytest.raises(CatalogError, match=f"did you mean '{meant}' by '{name}'"):
        read_phases("mine", {"warming": [1, 2], name: [3, 4]})


@pytest.mark.parametrize("name", [UNTIL_NET_ZERO, "a{b}", "", 7])
def test_a_name_that_sentences_could_not_hold_is_refused(name):
    with pytest.raises(CatalogError, match="can't name a phase"):
        read_phases("mine", {"warming": [1, 2], name: [3, 4]})


def test_every_known_phase_has_a_colour():
    assert set(PHASE_COLOURS) == set(PHASES)
