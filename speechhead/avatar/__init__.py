"""Avatars: a portrait prepared once, and those that ship with the library."""

from .portrait import Avatar

__all__ = ["Avatar"]
