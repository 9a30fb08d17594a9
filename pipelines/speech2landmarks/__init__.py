"""Trainer of Speech2Landmarks: data preparation, offsets, network, losses, measures, export."""
