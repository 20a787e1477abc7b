"""Evidence that the book's methods work as claimed; ``make evidence`` regenerates it."""
