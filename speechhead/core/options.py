"""Options of a rendering: how pictures are made, and how a driver moves a portrait. How the face moves: `controls`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .clocks import FPS
from .errors import ControlError, DeviceError, ImageError, MediaError
from .frozen import Frozen
from .records import check, check_field, option, shortened

Progress = Callable[[int, "int | None"], None]
"""Called with the frames done and, where it is known, their number."""

SIZES = (64, 2048)
"""Smallest and largest side of the face crop, pixels."""

RATES = (1, 120)
"""Lowest and highest frame rate of a video that is written, per second."""

PORTRAIT_SIZE = 512
"""Largest side of a portrait's face crop where none is asked for, pixels."""

ENGINES = ("auto", "onnx", "torch")
LANDMARKS = ("mesh", "face-alignment")
"""What finds landmarks in pictures: the shipped mesh network, or the package of that name."""

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
GRAPHS = ("auto", "none", "compile")
ENCODERS = ("auto", "cpu", "nvenc")


@dataclass(frozen=True)
class RenderOptions:
    """How pictures are made, whatever moves the face; every field is checked on construction.

    generator may be a ready-made `Generator`, which has its engine and device already; speech2landmarks a ready-made
    `SpeechModel`.

    Raises
    ------
    ImageError, MediaError, DeviceError or ControlError naming the field, the value and the remedy.
    """

    size: int | None = option(
        None,
        help="Largest side of the face",
        unit="pixels",
        low=SIZES[0],
        high=SIZES[1],
        even=True,
        note="with --crop the side of the video",
        unset=f"{PORTRAIT_SIZE} for a portrait, as it is for a video or a family",
        error=ImageError,
    )
    fps: float | None = option(
        None,
        help="Frames",
        unit="per second",
        low=RATES[0],
        high=RATES[1],
        unset=f"{FPS} for a portrait, a video's own",
        error=MediaError,
    )
    generator: Any = option(
        "compact",
        help="compact, a family that `speechhead weights import` knows, or a name from `weights list`",
        metavar="NAME",
        kind=str,
    )
    engine: str = option("auto", help="What runs the networks", choices=ENGINES, metavar="NAME", error=DeviceError)
    device: str = option("auto", help="Where they run: auto, cpu or cuda", metavar="NAME", error=DeviceError)
    precision: str = option(
        "auto",
        help="Numbers in which a family draws",
        choices=PRECISIONS,
        metavar="NAME",
        note="auto is a GPU's quickest, and fp32 on a CPU; keypoints and poses are fp32 always",
        error=DeviceError,
    )
    graph: str = option(
        "auto",
        help="How a family's networks are launched",
        choices=GRAPHS,
        metavar="NAME",
        note="auto is CUDA graphs on a GPU, and a trace on a CPU; compile is torch.compile",
        error=DeviceError,
    )
    encoder: str = option(
        "auto",
        help="What encodes the H.264 of a new video",
        choices=ENCODERS,
        metavar="NAME",
        note="auto is NVENC where networks run on CUDA and it is there; a film with new words is encoded on the CPU",
        error=MediaError,
    )
    face: int | str | None = option(
        None,
        help="Which face of the picture, or which person of the video, the one seen most first",
        low=1,
        whole=True,
        words=("largest", "speaking"),
        kind=str,
        note="largest; in a video also speaking: whoever moves its lips to the video's own sound",
        unset="1, the largest,",
        metavar="N",
    )
    speaker: int | None = option(
        None,
        help="Which channel of a recording the face speaks, where each speaker has one",
        low=1,
        whole=True,
        unset="all",
        metavar="N",
    )
    landmarks: str = option(
        "mesh",
        help="What finds the face's landmarks: mesh or face-alignment",
        choices=LANDMARKS,
        metavar="NAME",
        note="face-alignment is a package with 68 landmarks, which knows no gaze",
    )
    crop: bool = option(False, help="Show the face crop, SIZE x SIZE, instead of the full picture")
    watermark: str | None = option(None, help="Text to draw into the corner of the video", metavar="TEXT")
    c2pa: Any = option(
        None,
        help="Sign the video by C2PA: PEM files of a certificate with its chain and of its key",
        kind=tuple[Path, Path],
        metavar="CERT KEY",
        unset="not signed",
        http=False,
        error=MediaError,
    )
    speech2landmarks: Any = option(
        None, help="Network from sound to landmark motion", unset="the shipped one", command=False
    )

    def __post_init__(self) -> None:
        check(self)
        check_device(self.device)
        object.__setattr__(self, "c2pa", files_of_c2pa(self.c2pa))
        if not isinstance(self.generator, str) and (self.engine, self.device) != ("auto", "auto"):
            raise ControlError("a ready-made generator has its engine and device. Leave out engine and device.")

    @property
    def face_number(self) -> int | None:
        """Which face of a picture, from 1; None where none is chosen.

        Raises
        ------
        ControlError for "speaking": a picture does not say who speaks.
        """
        if isinstance(self.face, int) or self.face is None:
            return self.face
        if self.face == "largest":
            return 1
        raise ControlError(f"face '{self.face}': is for videos, and this is a picture. Give a number, or largest.")


def files_of_c2pa(given: Any) -> tuple[str, str] | None:
    """The files of a certificate and its key, from both or from a text, "CERT,KEY"; MediaError for anything else."""
    parts = given.split(",") if isinstance(given, str) else given
    if parts is None:
        return None
    if not isinstance(parts, list | tuple) or len(parts) != 2 or not all(isinstance(p, str | Path) for p in parts):
        raise MediaError(f"c2pa {shortened(given)} is not usable. Give two files, CERT and KEY.")
    return str(parts[0]).strip(), str(parts[1]).strip()


@dataclass(frozen=True)
class DriveOptions:
    """How the driver of `animate` moves the portrait; every field is checked on construction.

    extra: further options of a family's `transfer`, by name; none that has a field here. It is copied.

    Raises
    ------
    ControlError naming the field, the value and the remedy, and where two options contradict each other.
    """

    weights: str | Path | None = option(
        None, help="Weight file of the family", unset="the imported one", metavar="FILE", kind=Path
    )
    relative: bool = option(
        True, help="The driver's motion, or its own keypoints and face shape", flag="--relative/--absolute"
    )
    adapt_scale: bool = option(True, help="Scale relative motion to the size of the portrait's face")
    find_best: bool = option(False, help="Relative motion starts from the frame most like the portrait")
    whole: bool = option(False, help="Source and driver are square face crops already: use them as they are")
    yaw: float = option(
        0.0,
        help="Extra turn of the head to the side",
        unit="degrees",
        low=-90,
        high=90,
        note="free view; compact fades out beyond 20, of pitch and roll beyond 15",
    )
    pitch: float = option(0.0, help="Extra turn up or down", unit="degrees", low=-90, high=90)
    roll: float = option(0.0, help="Extra tilt towards a shoulder", unit="degrees", low=-90, high=90)
    region: str | None = option(
        None, help="What is driven: all, exp, pose, lip or eyes", note="liveportrait", metavar="NAME"
    )
    multiplier: float | None = option(None, help="Size of the motion", low=0, high=5, note="liveportrait")
    stitching: bool = option(True, help="Keep the shoulders in place", note="liveportrait")
    batch: int | None = option(None, help="Frames computed at once", low=1, whole=True, unset="by device")
    audio: bool = option(True, help="Keep the driver's sound")
    extra: Mapping[str, Any] = option(factory=dict, help="Further options of the family", command=False)

    def __post_init__(self) -> None:
        check(self)
        if self.whole and self.find_best:
            raise ControlError("--whole: --find-best needs to find the faces. Leave one of them out.")
        object.__setattr__(self, "extra", _further(self.extra))

    @property
    def _named(self) -> dict[str, Any]:
        given = {"region": self.region, "multiplier": self.multiplier, "stitching": None if self.stitching else False}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def transfer(self) -> dict[str, Any]:
        """What is asked of the family's `transfer` beyond relative motion: the named options that were given, and
        the further ones."""
        return {**self._named, **self.extra}

    @property
    def turned(self) -> bool:
        """Whether a free view is asked for."""
        return any((self.yaw, self.pitch, self.roll))


def _further(extra: Any) -> Frozen[str, Any]:
    """Options of a family without a field in DriveOptions, copied; ControlError otherwise."""
    if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
        raise ControlError(f"extra {shortened(extra)} is not usable. Give a dict of values by name.")
    if twice := sorted(extra.keys() & {field.name for field in fields(DriveOptions)}):
        raise ControlError(
            f"{', '.join(twice)}: given twice, as a field of DriveOptions and in extra. Leave it out of extra."
        )
    return Frozen(extra)


def check_size(size: int) -> int:
    """A usable side of the face crop: even, 64..2048; ImageError otherwise."""
    usable: int = check_field(RenderOptions, "size", size)
    return usable


def check_fps(fps: float) -> float:
    """A usable frame rate, 1..120; MediaError otherwise."""
    usable: float = check_field(RenderOptions, "fps", fps)
    return usable


def check_device(device: str) -> str:
    """A known device's name, "cuda:1" among them; DeviceError otherwise."""
    if not isinstance(device, str) or device.partition(":")[0] not in DEVICES:
        raise DeviceError(f"device {shortened(device)} is unknown. Use one of {', '.join(DEVICES)}.")
    return device


def check_engine(engine: str) -> str:
    """A known engine's name; DeviceError otherwise."""
    return str(check_field(RenderOptions, "engine", engine))


def check_landmarks(name: str) -> str:
    """The name of what finds landmarks; ControlError for another."""
    if name not in LANDMARKS:
        raise ControlError(f"landmarks '{name}' is unknown. Use {' or '.join(LANDMARKS)}.")
    return name
