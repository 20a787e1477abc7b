"""Raw model output to the standard monthly dataset: CESM history files and CMIP6."""
