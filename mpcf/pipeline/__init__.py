"""Run the notebooks, decide what is stale, render the site."""
