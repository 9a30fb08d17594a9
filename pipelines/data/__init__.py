"""Footage, synthetic heads and speech, prepared for training."""
