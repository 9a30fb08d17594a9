"""Colour profiles: pictures of any camera or screen in sRGB."""

from __future__ import annotations

import io

from PIL import Image

_SPACES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L", "LA"), "CMYK": ("CMYK",)}
"""Modes of Pillow's pictures by the colour space of a profile that can be theirs."""


def in_srgb(image: Image.Image) -> tuple[Image.Image, str]:
    """A picture with its ICC profile applied (Display P3, Adobe RGB, CMYK inks, ...), and a note if it can not be.

    Transparency stays as it is. A picture without a profile is sRGB already; 16-bit grey is left alone.
    """
    data = image.info.get("icc_profile")
    if not data or image.mode.startswith(("I", "F", "1", "LAB")):
        return image, ""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if image.mode in ("P", "PA"):
            image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
        if image.mode not in _SPACES.get(source.profile.xcolor_space.strip(), ()):
            return image, "its colour profile is of another kind of picture, and is left out."
        alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
        opaque = image.convert(image.mode[:-1]) if alpha is not None else image
        target = ImageCms.createProfile("sRGB")
        # Grey has its own tone curve: sRGB's is taken for all three channels.
        changed = ImageCms.profileToProfile(opaque, source, target, outputMode="RGB")
        assert changed is not None  # it is where it is not done in place
        if alpha is not None:
            changed.putalpha(alpha)
    except (ImageCms.PyCMSError, ImportError, OSError, ValueError, TypeError):
        return image, "its colour profile is not readable, and is left out."
    if "transparency" in image.info and image.mode in ("RGB", "L"):  # one colour that is see-through
        see_through = image.convert("RGBA").getchannel("A")
        changed.putalpha(see_through)
    return changed, ""
