"""What the library knows of a generator family before its networks are loaded: one frozen record beside each family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from speechhead.core.arrays import Array

from .crops import Crop, head_crop

if TYPE_CHECKING:
    from torch import Tensor

    from .family import Family, Motion


@dataclass(frozen=True)
class PublishedWeights:
    """Where a family's weights are published.

    page : of the authors; licence : what a user agrees to
    repo, files : on the Hugging Face hub, where the authors publish there
    """

    page: str
    licence: str
    repo: str | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainingStage:
    """One stage of training.

    name : 'motion', or a module of `pipelines/train/families/stages` that says what the stage computes
    parts : submodules that it trains; 'motion' trains all those that no other stage does
    """

    name: str
    parts: tuple[str, ...] = ()


MOTION = TrainingStage("motion")
"""Self-reenactment of pairs, the main stage of all families."""


@dataclass(frozen=True)
class ScaleOption:
    """What most families' `transfer` lets a user choose.

    adapt_scale : relative motion is scaled to the size of the portrait's face
    """

    adapt_scale: bool = True


def nothing(landmarks: Tensor) -> dict[str, Any]:
    """No options of `transfer` come from the portrait's landmarks."""
    return {}


def unchanged(model: Family, source: Motion, driving: Motion) -> Motion:
    """The motion as it is."""
    return driving


@dataclass(frozen=True)
class FamilySpec:
    """A family: everything that the rest of the library, the command line and the workshop ask about it.

    It is the `SPEC` of `speechhead/generators/families/NAME_spec.py`, or of a module of anybody's package, which names
    it under the entry-point group `speechhead.families`. A module without the networks needs no torch.

    name : as on the command line
    model : 'module:Class' of the `Family`, imported when it is first used; what its constructor's annotation and its
        config must have is said there
    parts : what a part is called in the published files (entry of a dictionary, or stem of a file of its own), and the
        submodule that it is; optimisers, discriminators and epoch numbers lie beside them and are left there
    marks : a published checkpoint with one of them is this family's: the name of a part, or 'part.' and how one of its
        keys begins; of several families that know a checkpoint, the one with the most submodules has it
    optional : submodules that weights may do without, all of them or none; the network is then built without
    form_of : family under whose name these weights serve too
    crop : square that the networks expect of a face: mesh float32 [478, 3] in picture pixels, and whether the picture
        is a driving video's
    options : frozen dataclass of what a user may choose of `transfer`; it checks its values itself
    free_view : whether the model has `rotate`
    portrait_options : what `transfer` needs of the portrait's landmarks, float32 [1, 70, 3] in pixels
    settle : hook after landmarks were carried over to a motion: (model, source, driving) to the motion that is drawn;
        `transfer` does the like itself
    published : where its weights are
    losses : the paper's weights of the training losses; see `Losses` in pipelines/train/families/config.py
    stages : of its training, in their order
    """

    name: str
    model: str
    parts: Mapping[str, str]
    marks: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    form_of: str | None = None
    crop: Callable[[Array, bool], Crop] = head_crop
    options: Callable[..., Any] = ScaleOption
    free_view: bool = False
    portrait_options: Callable[[Tensor], dict[str, Any]] = nothing
    settle: Callable[[Family, Motion, Motion], Motion] = unchanged
    published: PublishedWeights | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    stages: tuple[TrainingStage, ...] = (MOTION,)

    @property
    def option_names(self) -> tuple[str, ...]:
        """What a user may choose of `transfer`."""
        kind: Any = self.options
        return tuple(entry.name for entry in fields(kind))

    @property
    def submodules(self) -> tuple[str, ...]:
        """The parts' submodules, each once."""
        return tuple(dict.fromkeys(self.parts.values()))

    def knows(self, networks: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether published networks, keys by the name of the part, carry one of the marks."""
        for mark in self.marks:
            part, _, beginning = mark.partition(".")
            if part in networks and (not beginning or any(key.startswith(beginning) for key in networks[part])):
                return True
        return False
