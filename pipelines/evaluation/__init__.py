"""Evaluation: the metrics of design section 6, the baselines beside them, and contact sheets."""
