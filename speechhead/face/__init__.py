"""Faces in pictures: found, tracked, measured, cropped."""
