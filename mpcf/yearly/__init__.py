"""From months to years: the yearly dataset and how it is streamed."""
