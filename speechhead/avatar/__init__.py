"""Avatars: a portrait prepared once, and those that ship with the library."""

from .portrait import Avatar
from .shipped import shipped

__all__ = ["Avatar", "shipped"]
