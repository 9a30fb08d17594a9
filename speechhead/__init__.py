"""One portrait and one voice in, a talking head out.

`say` and `render` write videos, `Avatar` is a portrait prepared once, `Renderer` turns sound into frames as it
arrives, `Controls` says how the face moves. They are loaded when first used, so that the import is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import SpeechheadError

if TYPE_CHECKING:
    from .avatar import Avatar
    from .motion.controls import Controls
    from .pipeline import render, say
    from .renderer import Renderer

__version__ = "0.1.0"
__all__ = ["Avatar", "Controls", "Renderer", "SpeechheadError", "__version__", "render", "say"]

_HOME = {
    "Avatar": "avatar",
    "Controls": "motion.controls",
    "Renderer": "renderer",
    "render": "pipeline",
    "say": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'speechhead' has no attribute '{name}'")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
