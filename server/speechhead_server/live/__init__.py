"""Sessions, and what they share."""
