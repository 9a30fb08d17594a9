"""Parity of the torch families with the published implementations: what `python -m pipelines.parity DIR` runs."""
