"""From files to the standard monthly dataset: catalogue, readers, checks, export."""

from mpcf.data.catalog import entry
from mpcf.data.records import open_record
from mpcf.data.sources import open_source

__all__ = ["entry", "open_record", "open_source"]
