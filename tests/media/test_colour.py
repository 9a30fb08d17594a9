"""Pictures of any camera come out in sRGB: right values worked out from the spaces' primaries."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms
from support.profiles import in_srgb, profile

from speechhead.media.image import load_image, read_picture


@pytest.fixture
def colours() -> np.ndarray:
    """Skin-like and greyish colours, none of which leaves sRGB: [96, 96, 3] in blocks of 8."""
    blocks = np.random.default_rng(0).integers(70, 200, (12, 12, 3))
    blocks = (blocks * 0.4 + blocks.mean(-1, keepdims=True) * 0.6).round().astype(np.uint8)
    return blocks.repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize("space", ["Display P3", "Adobe RGB"])
@pytest.mark.parametrize("ending", ["png", "tif", "webp", "jpg"])
def test_profiles_are_applied(tmp_path, colours, space, ending):
    file = tmp_path / f"a.{ending}"
    options = {"quality": 100, "subsampling": 0} if ending == "jpg" else {"lossless": True} if ending == "webp" else {}
    Image.fromarray(colours).save(file, icc_profile=profile(space), **options)
    picture, notes = read_picture(file)
    wanted = in_srgb(colours, space)
    assert np.abs(wanted - colours).max() > 4  # the profile matters
    assert np.abs(picture - wanted).max() <= (4 if ending == "jpg" else 2) and notes == ()


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "LA"])
def test_other_modes_have_profiles_too(tmp_path, colours, mode):
    grey = mode in ("L", "LA")
    image = Image.fromarray(colours).convert(mode[0] if grey else mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(255)
    shown = np.asarray(image.convert("RGB"))
    kind = b"GRAY" if grey else b"RGB "
    image.save(tmp_path / "a.png", icc_profile=profile("Display P3", kind))
    wanted = in_srgb(shown, "sRGB" if grey else "Display P3")
    assert np.abs(load_image(tmp_path / "a.png") - wanted).max() <= 2


def test_transparency_stays(tmp_path, colours):
    image = Image.fromarray(colours)
    image.putalpha(0)
    image.save(tmp_path / "a.png", icc_profile=profile("Display P3"))
    assert (load_image(tmp_path / "a.png") == 128).all()


def test_srgb_changes_nothing(tmp_path, colours):
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=own)
    assert np.abs(load_image(tmp_path / "a.png").astype(int) - colours).max() <= 1


@pytest.mark.parametrize("data", [b"no profile", profile("Display P3")[:200], profile("Display P3", b"GRAY")])
def test_a_useless_profile_is_a_note(tmp_path, colours, data):
    Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=data)
    picture, notes = read_picture(tmp_path / "a.png")
    assert (picture == colours).all()
    assert len(notes) == 1 and "colour profile" in notes[0] and "left out" in notes[0]


def test_the_photo_that_came_out_pale(shared):
    """`p3.jpg`: 16 levels off at the 95th percentile without its profile."""
    file = shared / "bug_inputs" / "p3.jpg"
    if not file.is_file():
        pytest.skip(f"no {file}")
    with Image.open(file) as image:
        stored = np.asarray(image.convert("RGB"))
    found = load_image(file)
    wanted = in_srgb(stored, "Display P3")
    assert np.percentile(np.abs(wanted - stored), 95) > 10
    assert np.percentile(np.abs(found - wanted), 99) <= 2
