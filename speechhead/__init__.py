"""One portrait and one voice in, a talking head out.

`speechhead.api` has the functions that make videos, `Avatar` is a portrait prepared once, `Renderer` turns sound into
frames as it arrives, `Controls` says how the face moves, `RenderOptions` how pictures are made. They are loaded when
first used: the import is instant.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from speechhead.core.errors import SpeechheadError

if TYPE_CHECKING:
    from speechhead.avatar.portrait import Avatar
    from speechhead.core.controls import Controls
    from speechhead.core.options import DriveOptions, RenderOptions
    from speechhead.render.stream import Renderer

__version__ = "0.1.0"
__all__ = ["Avatar", "Controls", "DriveOptions", "RenderOptions", "Renderer", "SpeechheadError", "__version__"]

# onnxruntime keeps a number of this machine in the user's home, and complains where it can not.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOME = {
    "Avatar": "avatar.portrait",
    "Controls": "core.controls",
    "DriveOptions": "core.options",
    "RenderOptions": "core.options",
    "Renderer": "render.stream",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'speechhead' has no attribute '{name}'. Its functions are in speechhead.api.")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
