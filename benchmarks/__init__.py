"""What is measured, against whom: ``make bench`` writes ``benchmarks/results.json``."""
