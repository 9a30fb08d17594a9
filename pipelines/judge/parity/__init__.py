"""Parity of the torch families with the published implementations: `python -m pipelines.judge.parity DIR`."""
