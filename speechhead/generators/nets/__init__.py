"""Layers and networks that families share."""
