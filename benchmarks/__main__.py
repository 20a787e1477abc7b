"""Measure everything, or a small part of it with ``--quick``, and write the results as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.measure import machine
from benchmarks.regression import bootstrap, regression
from benchmarks.thaw import thaw
from mpcf.pipeline.measurements import compared, results_file


def measurements(quick: bool):
    if quick:
        yield from regression(500, 100, 3, repeats=2)
        yield from thaw(100, 4)
        yield from bootstrap(members=5, years=40, cells=10, draws=50)
        return
    for cells in (2_000, 20_000, 50_000):
        yield from regression(cells, 500 if cells < 50_000 else 200, 4, references=cells == 20_000)
    for years in (100, 200, 500, 1_000):
        yield from regression(5_000, years, 4, references=False)
    for predictors in (1, 2, 8):
        yield from regression(5_000, 500, predictors, references=False)
    yield from thaw()
    yield from bootstrap()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, for a first look")
    parser.add_argument("--output", type=Path, default=results_file(), help="file to write")
    options = parser.parse_args()
    rows = []
    for found in measurements(options.quick):
        rows.append(found)
        print(found["task"], "·", found["method"], "·", found.get("times_bound", ""), flush=True)
    options.output.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    print(compared(options.output).to_string())
    print(f"results: {options.output}")


if __name__ == "__main__":
    main()
