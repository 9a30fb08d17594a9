"""Losses, data and one trainer for the published generator families."""
