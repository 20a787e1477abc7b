"""Soil physics that needs no data source: constants, geography, thaw."""
