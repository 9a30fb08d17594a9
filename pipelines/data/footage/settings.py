"""What a sample must be like: every limit of the data engine, once, with its unit."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from speechhead.core.clocks import FPS

SHORTEST = FPS
"""Frames that a sample has at least (1 s)."""
LARGEST_YAW = 50.0
"""Degrees; beyond it one eye and half of the mouth are hidden."""
LARGEST_TILT = 40.0
"""Degrees of pitch and of roll."""
RIVAL = 0.5
"""A second face whose box is at least this large, in sides of the followed one, ends a segment."""
JUMP = 0.25
"""Movement from frame to frame of the points that speech does not move, in outer eye distances: another face. Within
clips of talking heads the most was 0.14."""
OTHER_SHAPE = 0.045
"""Change of such points in normalised space from frame to frame, in outer eye distances: another face. Within clips
the most was 0.026; between two people it is 0.023 to 0.06."""
TRAVEL = 0.3
"""Range of the head's centre within a sample, in sides of its crop."""
ZOOM = 1.4
"""Range of the head's size within a sample, as a ratio."""
OUTSIDE = 0.3
"""Share of a crop that may lie outside of the picture."""
FROZEN = 25
"""Frames in a row that show the same face region: a still picture."""
REPEATED = 0.3
"""Share of frames that repeat the one before: the video has fewer than 18 pictures per second."""
SAME = 0.05
"""Mean difference in grey levels below which two face regions are the same; an encoder's noise is above it."""
SHARPNESS = 0.006
"""Variance of the Laplacian over the variance of grey levels at a sample's scale, in the median frame. Soft but usable
footage has 0.011, television 0.02 to 0.05; a Gaussian of 2 pixels takes most of it below 0.006."""
DARK, BRIGHT = 32.0, 215.0
"""Grey levels between which a face's mean lies."""
CLIPPED = 0.25
"""Share of a face's pixels that may be white."""
COMBED = 1.15
"""Row-to-row roughness over that of every other row, mean of the tenth of frames with most: interlaced."""


@dataclass(frozen=True)
class FootageSettings:
    """What a user chooses.

    size : side of the samples in pixels; min_eyes : outer eye distance in pixels of the footage that a face needs;
    longest : frames of a sample; cropped : the videos are face-centred squares already, and taken whole.
    """

    size: int = 256
    min_eyes: float = 56.0
    longest: int = 20 * FPS
    cropped: bool = False

    def to_dict(self) -> dict[str, float]:
        """For the index, and to see whether a folder was made with the same settings."""
        return asdict(self)
