"""Regenerate the evidence: ``python -m evidence sizes``, ``clusters`` or ``draws``."""

from __future__ import annotations

import argparse

from evidence import clusters, draws, sizes

COMMANDS = {"sizes": sizes.write, "clusters": clusters.write, "draws": draws.write}
"""Tables of evidence, and the functions that write them."""


def main() -> None:
    """Run the command named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m evidence", description=__doc__)
    parser.add_argument("command", choices=COMMANDS, help="which evidence")
    COMMANDS[parser.parse_args().command]()


if __name__ == "__main__":
    main()
