"""Weights of families: published ones read, our own files written and opened."""
