"""Benchmarks against other libraries: ``make bench`` writes ``benchmarks/results.json``."""
