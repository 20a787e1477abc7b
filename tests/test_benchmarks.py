"""The estimate of what a large ensemble costs, from a rate that is easy to calculate with."""

import pytest

from benchmarks.yearly import cost

ONE_GB_PER_SECOND = [
    {"what": "plain read, processor", "value": 9.0, "unit": "GB s-1"},
    {"what": "write_yearly, processor", "value": 1.0, "unit": "GB s-1"},
]


def test_hours_are_what_is_read_at_the_measured_rate():
    found = cost(ONE_GB_PER_SECOND)
    months, cells, values = 12 * 300 * 30, 192 * 288, 3 * 20 + 7
    assert found["read (TB)"] == pytest.approx(4e-12 * months * cells * values)
    assert found["time (h)"] == pytest.approx(1000 * found["read (TB)"] / 3600)


def test_processors_share_the_time_and_add_their_memory():
    one, eight = (cost(ONE_GB_PER_SECOND, workers=workers) for workers in (1, 8))
    assert one["time (h)"] == pytest.approx(8 * eight["time (h)"])
    assert 8 * one["memory (GiB)"] == pytest.approx(eight["memory (GiB)"])
    assert one["yearly dataset (GB)"] == eight["yearly dataset (GB)"]
