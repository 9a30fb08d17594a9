"""Generators: a portrait and driving landmarks to pictures."""
