"""Pictures: files of the formats named here become upright RGB."""

from __future__ import annotations

import importlib.util
import math
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from speechhead.core.arrays import Array
from speechhead.core.errors import ImageError
from speechhead.core.smoothstep import eased
from speechhead.core.stand_ins import refuse_stand_in

from .colour import in_srgb

Picture = NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""

RGB_TO_YUV = np.array(
    [[0.18259, 0.61423, 0.06201, 16], [-0.10064, -0.33857, 0.43922, 128], [0.43922, -0.39894, -0.04027, 128]],
    np.float32,
)
"""R'G'B' 0..255 to Y'CbCr 16..235 (ITU-R BT.709, sections 3.2 to 3.4)."""

SMALLEST = 64
"""Shortest side in pixels that can hold a usable face."""

FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "AVIF", "JPEG2000", "GIF", "TIFF", "BMP", "DIB", "PPM", "TGA", "ICO", "PSD",
)  # fmt: skip
"""Formats that Pillow decodes by itself: PostScript and its like hand the file to an interpreter outside."""

MOST_PIXELS = 40_000_000
"""Pixels of a picture from which on it is read smaller: as many exist several times over, at three bytes each."""

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")

BAND = 256
"""Rows of a transparent picture that are laid over grey at a time: 40 million pixels at once would take 1 GB."""

BACKGROUND = (128, 128, 128)
"""What shows through transparent pixels: a neutral studio grey, as video has no transparency."""


def open_picture(path: str | Path) -> Image.Image:
    """Open a picture by Pillow, its pixels not read yet; only decoders of `FORMATS`, and HEIC's, see the file.

    Raises
    ------
    OSError if it is none of them.
    """
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]  # some need a newer Pillow
    return Image.open(path, formats=formats if not is_heic(path) or not _heic_opener() else ["HEIF"])


def is_heic(path: str | Path) -> bool:
    """Whether a file is an HEIC picture, as telephones make them, by its first bytes."""
    with Path(path).open("rb") as file:
        head = file.read(32)
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC and b"avif" not in head[12:]


@cache
def _heic_opener() -> bool:
    """Let Pillow read HEIC; False if the package for it is not installed."""
    if importlib.util.find_spec("pi_heif") is None:
        return False
    import pi_heif

    pi_heif.register_heif_opener()
    return True


def is_picture(path: str | Path) -> bool:
    """Whether a file is a picture of a format that is read here, intact or not."""
    try:
        if is_heic(path):
            return True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(path):
                return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # any reason not to be one
        return False


def load_image(path: str | Path) -> Picture:
    """The pixels that `read_picture` gives."""
    return read_picture(path)[0]


def read_picture(path: str | Path) -> tuple[Picture, tuple[str, ...]]:
    """Read a picture: turned upright by its EXIF tag, in sRGB by its colour profile, transparency over grey, 8 bits.

    Parameters
    ----------
    path : any format of `FORMATS`, or HEIC; greyscale, palette, CMYK, 16-bit and transparent pictures included

    Returns
    -------
    uint8 [H, W, 3], of an animation the first picture, of more than `MOST_PIXELS` a smaller one; and notes, a line each

    Raises
    ------
    ImageError if the file is missing, is not a picture, is damaged, or is smaller than 64 pixels.
    """
    path = Path(path)
    if not path.exists():
        raise ImageError(f"{path}: no such file. Check the path.")
    if not path.is_file():
        raise ImageError(f"{path}: not a file. Name a picture such as portrait.jpg.")
    notes: tuple[str, ...] = ()
    try:
        if is_heic(path) and not _heic_opener():
            raise ImageError(f"{path}: HEIC needs a package. pip install pi-heif, or save it as JPEG.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is no concern of a user who wants a video
            with open_picture(path) as opened:
                if opened.format in _ANIMATED and getattr(opened, "is_animated", False):
                    notes += (f"{path}: an animation. Its first picture is taken.",)
                image, note = in_srgb(ImageOps.exif_transpose(_loaded(opened)))
                picture = _to_rgb(image)
    except Image.DecompressionBombError as error:  # about 180 million pixels
        raise ImageError(f"{path}: too many pixels for a portrait. Scale the picture down.") from error
    except ImageError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError, ArithmeticError, LookupError) as error:
        # Pillow raises all of these on damaged files, depending on the format.
        refuse_stand_in(path, ImageError)
        reason = "not a picture" if "cannot identify" in str(error) else _first_line(error)
        raise ImageError(f"{path}: can not be read ({reason}). Use an intact JPEG, PNG or WebP file.") from error
    return as_picture(picture, str(path)), notes + ((f"{path}: {note}",) if note else ())


def _loaded(opened: Image.Image) -> Image.Image:
    """A picture with its pixels, made smaller by a whole number if it has more than `MOST_PIXELS`."""
    width, height = opened.size
    factor = math.ceil(math.sqrt(width * height / MOST_PIXELS))
    if factor > 1:
        opened.draft(None, (width // factor, height // factor))  # a JPEG is decoded at about that size
    opened.load()
    factor = math.ceil(math.sqrt(opened.width * opened.height / MOST_PIXELS))
    if factor < 2:
        return opened
    plain = opened  # indices of a palette can not be averaged
    if opened.mode in ("P", "PA", "1"):
        plain = opened.convert("L" if opened.mode == "1" else "RGBA" if "transparency" in opened.info else "RGB")
    smaller = plain.reduce(factor)
    smaller.info = dict(plain.info)
    return smaller


def as_picture(array: NDArray[Any], name: str = "picture") -> Picture:
    """Check an array given as a picture and bring it to uint8 RGB.

    Parameters
    ----------
    array : [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]; uint8 in 0..255, uint16 in 0..65535, or float in 0..1
    name : how the error message calls it

    Raises
    ------
    ImageError for any other shape or type, or a side under 64 pixels.
    """
    array = np.asarray(array)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(f"{name}: array of shape {list(array.shape)} is not a picture. Use [height, width, 3] RGB.")
    height, width = array.shape[:2]
    if min(height, width) < SMALLEST:
        raise ImageError(f"{name}: {width}x{height} pixels is too small (at least {SMALLEST}). Use a larger picture.")
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        array = np.round(np.clip(np.nan_to_num(array), 0, 1) * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ImageError(f"{name}: pixels of type {array.dtype}. Use uint8 in 0..255 or float in 0..1.")
    if array.shape[2] == 4:
        array = np.concatenate([_over_grey(array[top : top + BAND]) for top in range(0, height, BAND)])
    elif array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array)


def _over_grey(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA [H, W, 4] over the background: [H, W, 3]."""
    alpha = array[..., 3:].astype(np.uint16)
    over = array[..., :3] * alpha + np.array(BACKGROUND, np.uint16) * (255 - alpha)
    return ((over + 127) // 255).astype(np.uint8)


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Pixels of a Pillow image as uint8, [H, W, 3] or, where it has transparency, [H, W, 4]."""
    if image.mode.startswith(("I", "F")):
        # Pillow's own conversion clips 16 bits to 8; scale by the range that the picture uses.
        values = np.asarray(image).astype(np.float32)
        values = np.nan_to_num(values)
        top = 65535.0 if image.mode.startswith("I;16") or values.max() > 255 else 1.0 if values.max() <= 1 else 255.0
        top = max(top, float(values.max()))
        return np.repeat(np.round(values.clip(0) * (255 / top)).astype(np.uint8)[..., None], 3, axis=2)
    transparent = "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if transparent else "RGB"))


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:100]


def yuv420(frame: Picture) -> NDArray[np.uint8]:
    """RGB [H, W, 3] to planar Y'CbCr [H * 3 / 2, W] of BT.709, 16..235, colours at half the resolution; H, W even.

    The conversion of libswscale takes several times as long for the same values.
    """
    height, width = frame.shape[:2]
    half = cv2.resize(frame, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    planar = np.empty(height * width * 3 // 2, np.uint8)
    planar[: height * width] = cv2.extractChannel(cv2.transform(frame, RGB_TO_YUV), 0).ravel()
    planar[height * width :] = np.moveaxis(cv2.transform(half, RGB_TO_YUV)[..., 1:], 2, 0).ravel()
    return planar.reshape(-1, width)


def scaled_down(picture: Picture, factor: float) -> Picture:
    """A picture at `factor` < 1 times its size, averaged, its sides at least 16 pixels."""
    height, width = (max(16, round(n * factor)) for n in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def border_ramp(height: int, width: int, part: float) -> Array:
    """Weight [height, width] that rises smoothly from 0 at the border to 1 at `part` of the shorter side inside."""
    reach = max(1.0, part * min(height, width))
    y = np.minimum(np.arange(height), np.arange(height)[::-1]) / reach
    x = np.minimum(np.arange(width), np.arange(width)[::-1]) / reach
    ramp = np.clip(np.minimum(y[:, None], x[None, :]), 0, 1)
    return eased(ramp).astype(np.float32)
