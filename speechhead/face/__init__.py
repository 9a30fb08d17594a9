"""Faces: detector, 468-point mesh with irises, tracking, and the pose-free landmark space."""
