"""Portraits of any size by a small family: the portrait's own detail under the family's motion."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from support.small_families import PUBLISHED, SIZE, small  # noqa: E402

from speechhead.generators.families import full_resolution  # noqa: E402
from speechhead.generators.families.family import Drawn  # noqa: E402
from speechhead.generators.families.full_resolution import Rest, doubled, full_size  # noqa: E402
from speechhead.generators.nets.layers import coordinate_grid  # noqa: E402

FULL, SMALL, CELLS = 192, 48, 16


def picture(seed=0, side=FULL):
    """Detail down to the pixel on soft shapes, [1, 3, side, side]."""
    torch.manual_seed(seed)
    soft = F.interpolate(torch.rand(1, 3, 6, 6), size=(side, side), mode="bicubic", align_corners=False)
    return (0.2 + 0.5 * soft + 0.15 * torch.rand(1, 3, side, side)).clamp(0, 1)


def still(depths=1):
    return coordinate_grid((CELLS, CELLS)).expand(1, depths, CELLS, CELLS, 2)


def shifted(pixels, depths=1):
    """A flow that reads `pixels` of the full picture further to the right."""
    step = torch.tensor([pixels * 2 / FULL * CELLS / (CELLS - 1), 0.0])
    return still(depths) + step


def shrunk(x):
    return F.adaptive_avg_pool2d(x, SMALL)


def detail(x):
    """Variance of what is smaller than three pixels."""
    return float((x - F.avg_pool2d(x, 3, 1, 1))[..., 2:-2, 2:-2].var())


def worst(a, b):
    return float((a - b).abs().max()) * 255


def test_a_portrait_at_rest_is_itself_whatever_the_network_makes_of_it():
    portrait = picture()
    poor = Drawn(shrunk(portrait) * 0.7 + 0.1, still(), torch.full((1, 1, CELLS, CELLS), 0.6))
    made = full_size(poor, Rest.drawn(poor, portrait))
    assert made.shape == portrait.shape and worst(made, portrait) <= 1


@pytest.mark.parametrize("pixels", [8, 7.5])
def test_a_translation_moves_full_detail_with_it(pixels):
    far = picture(side=FULL + 16)
    portrait, there = far[..., 8:-8, 8:-8], far[..., 8:-8, 16:]
    if pixels != int(pixels):  # half way between two pixels, by the exact shift of a band-limited picture
        ramp = torch.fft.fftfreq(FULL + 16) * 2j * torch.pi * pixels
        there = torch.fft.ifft(torch.fft.fft(far) * torch.exp(ramp)).real[..., 8:-8, 8:-8]
    rest = Rest.drawn(Drawn(shrunk(portrait), still()), portrait)
    made = full_size(Drawn(shrunk(there), shifted(pixels)), rest)
    inside = (..., slice(16, -16), slice(16, -16))
    if pixels == 8:
        assert worst(made[..., 40:-40, 40:-40], there[..., 40:-40, 40:-40]) <= 1
    assert 0.8 < detail(made[inside]) / detail(there[inside]) < 1.1
    plain = F.interpolate(shrunk(there), size=(FULL, FULL), mode="bicubic", align_corners=False)
    assert (made - there)[inside].abs().mean() < 0.5 * (plain - there)[inside].abs().mean()


def test_what_the_network_changes_or_uncovers_is_the_networks():
    portrait = picture()
    rest = Rest.drawn(Drawn(shrunk(portrait), still(), torch.full((1, 1, CELLS, CELLS), 0.8)), portrait)
    changed = shrunk(portrait).clone()
    changed[..., 20:32, 20:32] = 0.05  # an open mouth
    visible = torch.full((1, 1, CELLS, CELLS), 0.8)
    visible[..., :4] = 0.1
    made = full_size(Drawn(changed, still(), visible), rest)
    mouth = made[..., 92:116, 92:116]
    assert mouth.mean() < 0.12 and mouth.std() < 0.05
    hidden, open_skin = made[..., 30:-30, 2:28], made[..., 144:180, 144:180]
    assert worst(open_skin, portrait[..., 144:180, 144:180]) <= 1
    assert detail(hidden) < 0.1 * detail(portrait[..., 30:-30, 2:28])  # it is gone, the light is there
    assert (hidden.mean() - portrait[..., 30:-30, 2:28].mean()).abs() < 0.01


def test_light_that_changes_slowly_is_taken_over_with_the_detail():
    portrait = picture() * 0.8
    light = torch.linspace(0, 0.04, SMALL)
    rest = Rest.drawn(Drawn(shrunk(portrait), still()), portrait)
    made = full_size(Drawn(shrunk(portrait) + light, still()), rest)
    wanted = portrait + F.interpolate(light[None, None], size=FULL, mode="linear", align_corners=False)[..., None, :]
    assert (made - wanted).abs().mean() * 255 < 1


def test_of_a_volume_the_depth_that_was_drawn_moves_the_portrait():
    far = picture(side=FULL + 16)
    portrait, there = far[..., 8:-8, 8:-8], far[..., 8:-8, 16:]
    rest = Rest.drawn(Drawn(shrunk(portrait), still(3)), portrait)
    depths = torch.cat([still(), shifted(8), shifted(-24)], 1)
    way = full_resolution.displacement(depths, shrunk(portrait), shrunk(there))
    assert (way[:, 0, 4:-4, 4:-4] * FULL / 2 - 8).abs().mean() < 1
    made = full_size(Drawn(shrunk(there), depths), rest)
    plain = F.interpolate(shrunk(there), size=(FULL, FULL), mode="bicubic", align_corners=False)
    inside = (..., slice(24, -24), slice(24, -24))
    assert (made - there)[inside].abs().mean() < 0.8 * (plain - there)[inside].abs().mean()


def test_several_portraits_go_through_at_once_as_each_by_itself():
    portraits = [picture(seed) for seed in (1, 2)]
    rests = [Rest.drawn(Drawn(shrunk(p), still(), torch.ones(1, 1, CELLS, CELLS)), p) for p in portraits]
    parts = {key: torch.cat([rest.parts()[key] for rest in rests]) for key in rests[0].parts()}
    drawn = Drawn(
        torch.cat([shrunk(p.flip(3)) for p in portraits]),
        shifted(4).repeat(2, 1, 1, 1, 1),
        torch.ones(2, 1, CELLS, CELLS),
    )
    together = full_size(drawn, Rest.from_parts(parts, FULL))
    for i, rest in enumerate(rests):
        alone = full_size(Drawn(*(part[i : i + 1] for part in drawn[:3])), rest)
        assert torch.allclose(together[i : i + 1], alone, atol=1e-5)
    many = full_size(drawn, rests[0])
    assert torch.allclose(many[:1], together[:1], atol=1e-5)


def test_a_family_that_tells_no_motion_is_enlarged():
    portrait = picture()
    drawn = Drawn(shrunk(portrait))
    rest = Rest.drawn(drawn, portrait)
    assert full_size(drawn, rest).shape == portrait.shape
    small_one = Rest.drawn(drawn, shrunk(portrait))
    assert not small_one.larger and torch.equal(full_size(drawn, small_one), drawn.picture)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_family_draws_a_larger_portrait(name):
    model, portrait = small(name), picture(side=4 * SIZE)
    with torch.inference_mode():
        image = F.adaptive_avg_pool2d(portrait, SIZE)
        appearance, source = model.appearance(image), model.motion(image)
        rest = Rest.of(model, appearance, source, portrait)
        drawn = model.draw(appearance, source, source)
        assert drawn.flow is not None and drawn.flow.shape[0] == 1 and drawn.flow.shape[-1] == 2
        assert torch.equal(drawn.picture, model.render(appearance, source, source))
        assert worst(full_size(drawn, rest), portrait) <= 1
        driving = model.motion(torch.rand(2, 3, SIZE, SIZE))
        moving = full_size(model.draw(appearance, source, model.transfer(source, driving)), rest)
    assert moving.shape == (2, *portrait.shape[1:]) and moving.isfinite().all()
    assert (moving[0] - portrait[0]).abs().mean() > 1e-3


def test_samples_between_pixels_keep_the_pixels():
    x = picture(side=32)
    dense = doubled(x)
    assert dense.shape == (1, 3, 63, 63) and torch.equal(dense[..., ::2, ::2], x)
    line = torch.sin(torch.arange(64) * 0.9)[None, None, None].expand(1, 1, 4, 64)
    between = doubled(line)[0, 0, 0, 1::2]
    assert torch.allclose(between[8:-8], torch.sin((torch.arange(63) + 0.5) * 0.9)[8:-8], atol=0.01)
