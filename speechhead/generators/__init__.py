"""Generators: what turns a portrait and driving keypoints into pictures, one module per family."""
