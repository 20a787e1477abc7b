"""What the notebooks import to show and record their results."""
