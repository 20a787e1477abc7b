"""The demonstration ensemble: a reduced permafrost model run from CO2 emissions and a seed."""
