"""Landmarks2Latents: driving landmarks to the keypoints of a generator family (SPACE, sec. 3.2)."""

from .compact import CompactLatents

__all__ = ["CompactLatents"]
