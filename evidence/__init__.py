"""Evidence that the book's methods do what it says: ``make evidence`` writes it anew."""
