"""The generator families by name, and their weights: safetensors that carry the config which rebuilds the network."""

from __future__ import annotations

import importlib
import typing
from typing import TYPE_CHECKING, Any

from speechhead.core.errors import WeightsError

if TYPE_CHECKING:
    from .family import Family
from speechhead.engines.need import need_torch

FAMILIES: dict[str, str] = {
    "fomm": "speechhead.generators.families.fomm:Fomm",
    "face-vid2vid": "speechhead.generators.families.face_vid2vid:FaceVid2Vid",
    "face-vid2vid-f2f": "speechhead.generators.families.face_vid2vid_f2f:FaceVid2VidF2F",
    "dagan": "speechhead.generators.families.dagan:Dagan",
    "liveportrait": "speechhead.generators.families.liveportrait:LivePortrait",
}
"""Where each family's class is. Nothing is imported before it is used: they need torch, the library does not."""


def canonical(name: str) -> str:
    """A family's name as it is written here: `face_vid2vid` and `Face-Vid2Vid` are `face-vid2vid`.

    Raises
    ------
    WeightsError for a name that is none.
    """
    known = name.strip().lower().replace("_", "-")
    if known not in FAMILIES:
        raise WeightsError(f"family '{name}' is unknown. Use one of {', '.join(FAMILIES)}.")
    return known


def is_form(found: str, wanted: str) -> bool:
    """Whether weights of family `found` serve where `wanted` is asked for: face-vid2vid has two published forms."""
    return found == wanted or found.startswith(f"{wanted}-")


def family(name: str) -> type[Family]:
    """The class of a family.

    Raises
    ------
    WeightsError for an unknown name; DeviceError without torch.
    """
    known = canonical(name)
    need_torch(f"generator '{known}'")
    module, _, attribute = FAMILIES[known].partition(":")
    return getattr(importlib.import_module(module), attribute)


def config_class(name: str) -> Any:
    """The frozen dataclass that describes a family's network: the type of its constructor's `config`."""
    return typing.get_type_hints(family(name).__init__)["config"]


def build(name: str, config: Any) -> Family:
    """A family with fresh weights, from its config."""
    made: Any = family(name)
    return made(config)
