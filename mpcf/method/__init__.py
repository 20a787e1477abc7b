"""The method: regression, attribution, intervals, refreezing, and their truth."""
