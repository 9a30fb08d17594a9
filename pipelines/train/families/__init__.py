"""The published families' trainers."""
