"""What a user may choose of LivePortrait's transfer; no torch is needed to check it."""

from __future__ import annotations

from dataclasses import dataclass

from speechhead.core.errors import ControlError
from speechhead.core.options import DriveOptions
from speechhead.core.records import check_field, check_flags

REGIONS = ("all", "exp", "pose", "lip", "eyes")


@dataclass(frozen=True)
class RetargetingOptions:
    """How a driver moves a portrait.

    relative : the driver's motion since its first frame is added; otherwise its own pose and expression are taken
    region : what is driven: all, exp (expression only), pose (head only), lip, eyes
    expression_friendly : relative keypoints are scaled to the portrait's face, about the portrait's own
    multiplier : of the motion away from the portrait
    stitching : shoulders stay where they are
    normalise_lip : open lips of the portrait are closed first; relative motion only
    eye_retargeting, lip_retargeting : eyes, lips open as far as the driver's do, by the ratios of its landmarks

    Raises
    ------
    ControlError naming the field, the value and the remedy.
    """

    relative: bool = True
    region: str = "all"
    expression_friendly: bool = False
    multiplier: float = 1.0
    stitching: bool = True
    normalise_lip: bool = True
    eye_retargeting: bool = False
    lip_retargeting: bool = False

    def __post_init__(self) -> None:
        check_flags(self)
        object.__setattr__(self, "multiplier", check_field(DriveOptions, "multiplier", self.multiplier))
        if self.region not in REGIONS:
            raise ControlError(f"region '{self.region}' is unknown. Use one of {', '.join(REGIONS)}.")
