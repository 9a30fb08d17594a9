"""Landmarks2Latents: trainer and export."""
