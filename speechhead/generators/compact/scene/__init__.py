"""A prepared portrait as one file, for who draws it without Python: docs/scene.md."""
