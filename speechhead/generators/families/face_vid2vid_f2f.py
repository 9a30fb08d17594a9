"""face-vid2vid (Wang et al., 2021) as zhengkw18 published it: five networks, turned motion fields, frontalisation."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechhead.generators.nets.discriminator import Judgement
from speechhead.generators.nets.layers import (
    batch_norm,
    combine_motions,
    conv,
    gaussian,
    heatmap_differences,
    multiply,
    soft_argmax,
    sparse_motions,
    warp,
    warp_each,
)
from speechhead.generators.nets.spade import SpectralConv2d, SpectralConv3d
from speechhead.generators.nets.volumes import MotionField

from .face_vid2vid_f2f_config import (
    F2FAppearanceConfig,
    F2FGeneratorConfig,
    F2FHeadConfig,
    F2FKeypointConfig,
    FaceVid2VidF2FConfig,
    MotionConfig,
)
from .family import Appearance, Drawn, Motion
from .head_pose import F2F
from .posed import FaceVid2VidMotion

TEMPERATURE = 0.1
"""Of the softmax over the volume that the canonical keypoints are the mean of."""

FRONTAL_DEPTH = 0.33
"""Mean z of the keypoints of a head that was turned; the paper's keypoint prior has the same (section 3.4)."""

_SPECTRAL = {2: SpectralConv2d, 3: SpectralConv3d}
_PLAIN = {2: nn.Conv2d, 3: nn.Conv3d}


class _Layers(nn.Module):
    """Modules one after the other, under the name that the published state dicts have for all of them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _conv(dims: int, inputs: int, outputs: int, kernel: int, spectral: bool, stride: int = 1) -> nn.Module:
    kinds = _SPECTRAL if spectral else _PLAIN
    return kinds[dims](inputs, outputs, kernel, stride=stride, padding=kernel // 2)


def _block(
    dims: int,
    inputs: int,
    outputs: int,
    kernel: int = 3,
    spectral: bool = False,
    stride: int = 1,
    activation: nn.Module | None = None,
) -> _Layers:
    """Convolution, norm, activation (ReLU)."""
    made = _conv(dims, inputs, outputs, kernel, spectral, stride)
    return _Layers(made, batch_norm(dims, outputs), nn.ReLU() if activation is None else activation)


def _down(dims: int, inputs: int, outputs: int, spectral: bool) -> _Layers:
    pool = nn.AvgPool2d(2) if dims == 2 else nn.AvgPool3d((1, 2, 2))
    return _Layers(_block(dims, inputs, outputs, spectral=spectral), pool)


def _up(dims: int, inputs: int, outputs: int, spectral: bool) -> _Layers:
    double = nn.Upsample(scale_factor=(2.0, 2.0) if dims == 2 else (1.0, 2.0, 2.0), mode="nearest")
    return _Layers(double, _block(dims, inputs, outputs, spectral=spectral))


def _chain(make: Callable[..., nn.Module], dims: int, widths: tuple[int, ...], spectral: bool) -> nn.Sequential:
    return nn.Sequential(*(make(dims, a, b, spectral) for a, b in zip(widths, widths[1:])))


class _Residual(_Layers):
    """x + two times (norm, ReLU, convolution)."""

    def __init__(self, dims: int, features: int, spectral: bool) -> None:
        def half() -> _Layers:
            return _Layers(batch_norm(dims, features), nn.ReLU(), _conv(dims, features, features, 3, spectral))

        super().__init__(half(), half())

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class _F2FBottleneck(_Layers):
    """1x1, 3x3, 1x1 convolutions beside a shortcut, which has a convolution where the shapes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int, spectral: bool) -> None:
        inner = outputs // 4
        super().__init__(
            _block(2, inputs, inner, 1, spectral),
            _block(2, inner, inner, 3, spectral, stride),
            _block(2, inner, outputs, 1, spectral, activation=nn.Identity()),
        )
        self.down_sample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.down_sample = _block(2, inputs, outputs, 1, spectral, stride, nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.down_sample(x) if self.down_sample is not None else x
        return F.relu(super().forward(x) + shortcut)


class AppearanceExtractor(nn.Module):
    """AFE: picture [B, 3, H, W] to f_s, [B, C, D, h, w] (face-vid2vid, section 3.1)."""

    def __init__(self, config: F2FAppearanceConfig) -> None:
        super().__init__()
        spectral = config.use_weight_norm
        self.volume = (config.C, config.D)
        self.in_conv = _block(2, 3, config.down_seq[0], 7, spectral)
        self.down = _chain(_down, 2, config.down_seq, spectral)
        self.mid_conv = conv(2, config.down_seq[-1], config.C * config.D, 1)
        self.res = nn.Sequential(*(_Residual(3, config.C, spectral) for _ in range(config.n_res)))

    def forward(self, image: Tensor) -> Tensor:
        x = self.mid_conv(self.down(self.in_conv(image)))
        return self.res(x.unflatten(1, self.volume))


class F2FKeypointDetector(nn.Module):
    """CKD: canonical keypoints x_c [B, K, 3] (section 3.1)."""

    def __init__(self, config: F2FKeypointConfig) -> None:
        super().__init__()
        spectral = config.use_weight_norm
        self.scale = config.scale_factor
        self.volume = (config.up_seq[0], config.D)
        self.down = _chain(_down, 2, config.down_seq, spectral)
        self.mid_conv = conv(2, config.down_seq[-1], config.up_seq[0] * config.D, 1)
        self.up = _chain(_up, 3, config.up_seq, spectral)
        self.out_conv = conv(3, config.up_seq[-1], config.K, 3)

    def logits(self, image: Tensor) -> Tensor:
        if self.scale != 1:
            image = F.interpolate(image, scale_factor=self.scale, mode="bilinear", align_corners=False)
        x = self.mid_conv(self.down(image))
        return self.out_conv(self.up(x.unflatten(1, self.volume)))

    def forward(self, image: Tensor) -> Tensor:
        return soft_argmax(self.logits(image), TEMPERATURE)[0]


class F2FHeadEstimator(nn.Module):
    """HPE_EDE: head pose and expression deformation (sections 3.1 and 3.2)."""

    def __init__(self, config: F2FHeadConfig) -> None:
        super().__init__()
        spectral, filters = config.use_weight_norm, config.n_filters
        self.pre_layers = nn.Sequential(_block(2, 3, filters[0], 7, spectral, 2), nn.MaxPool2d(3, 2, padding=1))
        blocks = []
        for i, (before, after, more) in enumerate(zip(filters, filters[1:], config.n_blocks)):
            blocks.append(_F2FBottleneck(before, after, 1 if i == 0 else 2, spectral))
            blocks += [_F2FBottleneck(after, after, 1, spectral) for _ in range(more)]
        self.res_layers = nn.Sequential(*blocks)
        self.fc_yaw = nn.Linear(filters[-1], config.n_bins)
        self.fc_pitch = nn.Linear(filters[-1], config.n_bins)
        self.fc_roll = nn.Linear(filters[-1], config.n_bins)
        self.fc_t = nn.Linear(filters[-1], 3)
        self.fc_delta = nn.Linear(filters[-1], 3 * config.K)

    def forward(self, image: Tensor) -> Motion:
        """'angles' [B, 3] in degrees, 'translation' [B, 3] and 'expression' [B, K, 3] of pictures."""
        x = self.res_layers(self.pre_layers(image)).mean((2, 3))
        angles = [F2F.degrees(head(x)) for head in (self.fc_yaw, self.fc_pitch, self.fc_roll)]
        return {
            "angles": torch.stack(angles, dim=1),
            "translation": self.fc_t(x),
            "expression": self.fc_delta(x).unflatten(1, (-1, 3)),
        }


class MotionEstimator(nn.Module):
    """MFE: keypoints and rotations to one motion field (section 3.3). Its hourglass has no skips."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        spectral = config.use_weight_norm
        self.compress = conv(3, config.C1, config.C2, 1)
        self.down = _chain(_down, 3, config.down_seq, spectral)
        self.up = _chain(_up, 3, config.up_seq, spectral)
        seen = config.down_seq[0] + config.up_seq[-1]
        self.mask_conv = conv(3, seen, config.K + 1, 7)
        self.occlusion_conv = conv(2, seen * config.D, 1, 7)

    def forward(self, volume: Tensor, driving: Motion, source: Motion) -> MotionField:
        """Field for f_s [B, C, D, h, w]; of the motions, 'value' and 'rotation'."""
        shape = volume.shape[2:]
        x_d, x_s = driving["value"], source["value"]
        # w_k(z) = R_s R_d^-1 (z - x_d,k) + x_s,k
        turn = multiply(source["rotation"], driving["rotation"].transpose(1, 2))
        flows = sparse_motions(x_s, x_d, shape, turn[:, None].expand(-1, x_d.shape[1], -1, -1))
        heatmaps = heatmap_differences(x_s, x_d, shape)[:, :, None]
        candidates = warp_each(self.compress(volume), flows, align_corners=True)
        x = torch.cat([heatmaps, candidates], dim=2).flatten(1, 2)
        seen = torch.cat([x, self.up(self.down(x))], dim=1)
        # w(z) = sum_k m_k(z) w_k(z)
        mask = torch.softmax(self.mask_conv(seen), dim=1)
        occlusion = torch.sigmoid(self.occlusion_conv(seen.flatten(1, 2)))
        return MotionField(combine_motions(mask, flows), mask, occlusion, flows, heatmaps, candidates)


class F2FGenerator(nn.Module):
    """Warped volume and occlusion to a picture (section 3.3); the picture is not bounded."""

    def __init__(self, config: F2FGeneratorConfig) -> None:
        super().__init__()
        spectral, wide = config.use_weight_norm, config.up_seq[0]
        self.in_conv = _block(2, config.C * config.D, wide, 3, spectral, activation=nn.LeakyReLU(0.2))
        self.mid_conv = conv(2, wide, wide, 1)
        self.res = nn.Sequential(*(_Residual(2, wide, spectral) for _ in range(config.n_res)))
        self.up = _chain(_up, 2, config.up_seq, spectral)
        self.out_conv = conv(2, config.up_seq[-1], 3, 7)

    def features(self, volume: Tensor, deformation: Tensor) -> Tensor:
        """Warped, with depth folded into channels, before occlusion."""
        read = warp(volume, deformation, align_corners=True)
        return self.mid_conv(self.in_conv(read.flatten(1, 2)))

    def forward(self, volume: Tensor, deformation: Tensor, occlusion: Tensor) -> Tensor:
        return self.out_conv(self.up(self.res(self.features(volume, deformation) * occlusion)))


class F2FDiscriminator(nn.Module):
    """Patch discriminator that sees the picture with Gaussians at the driving keypoints' x and y (section 3.4)."""

    def __init__(self, num_kp: int = 15, channels: tuple[int, ...] = (64, 128, 256, 512)) -> None:
        super().__init__()
        steps = (3 + num_kp, *channels)
        halvings = [
            _Layers(SpectralConv2d(a, b, 3, stride=2, padding=1), nn.InstanceNorm2d(b, affine=True), nn.LeakyReLU(0.2))
            for a, b in zip(steps, steps[1:])
        ]
        self.layers = nn.ModuleList([*halvings, _Layers(SpectralConv2d(channels[-1], 1, 3, padding=1))])

    def forward(self, image: Tensor, keypoints: Tensor) -> list[Judgement]:
        """Judge pictures [B, 3, H, W] with keypoints [B, K, 2 or 3]; a list of one scale."""
        x = torch.cat([image, gaussian(keypoints[..., :2].detach(), image.shape[2:])], dim=1)
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return [Judgement(features[:-1], x)]


class FaceVid2VidF2F(FaceVid2VidMotion):
    """face-vid2vid: x = R x_c + t + delta (Wang et al., 2021, equation 1); driving keypoints have the source's x_c."""

    name = "face-vid2vid-f2f"
    convention = F2F

    def __init__(self, config: FaceVid2VidF2FConfig) -> None:
        super().__init__()
        self.config = config
        self.image_size = config.image_size
        self.afe = AppearanceExtractor(config.afe)
        self.ckd = F2FKeypointDetector(config.ckd)
        self.hpe_ede = F2FHeadEstimator(config.hpe_ede)
        self.mfe = MotionEstimator(config.mfe)
        self.generator = F2FGenerator(config.generator)

    def appearance(self, image: Tensor) -> Appearance:
        """'volume': f_s, [B, C, D, h, w]."""
        return {"volume": self.afe(image)}

    def motion(self, image: Tensor) -> Motion:
        return self.posed(canonical=self.ckd(image), **self.hpe_ede(image))

    def turned_expression(self, motion: Motion, rotation: Tensor) -> Tensor:
        """R_new R_old^-1 delta."""
        turn = multiply(rotation, motion["rotation"].transpose(1, 2))
        return multiply(motion["expression"], turn.transpose(1, 2))

    def turned(self, motion: Motion, angles: Tensor) -> Motion:
        """The head at other angles [B, 3] in degrees; all zero is its frontal view.

        The expression turns with the head, and all keypoints are moved in depth so that their mean
        is FRONTAL_DEPTH.
        """
        rotation = self.convention.rotation(angles)
        expression = self.turned_expression(motion, rotation)
        parts = {**motion, "rotation": rotation, "angles": angles, "expression": expression}
        depth = FRONTAL_DEPTH - self.keypoints(parts)[..., 2].mean(1)
        parts["translation"] = motion["translation"] + F.pad(depth[:, None], (2, 0))
        return self.posed(**{key: value for key, value in parts.items() if key != "value"})

    def render(self, appearance: Appearance, source: Motion, driving: Motion) -> Tensor:
        """Pictures in [0, 1]: what lies beyond is cut off, as the published evaluation does."""
        return self.draw(appearance, source, driving).picture

    def generate(self, appearance: Appearance, source: Motion, driving: Motion) -> Tensor:
        """Pictures as the network makes them, not bounded; for training."""
        return self._made(appearance, source, driving)[0]

    def draw(self, appearance: Appearance, source: Motion, driving: Motion) -> Drawn:
        picture, field = self._made(appearance, source, driving)
        return Drawn(picture.clamp(0, 1), field.deformation[..., :2], field.occlusion)

    def _made(self, appearance: Appearance, source: Motion, driving: Motion) -> tuple[Tensor, MotionField]:
        count = max(len(driving["value"]), len(source["value"]))
        volume = appearance["volume"].expand(count, -1, -1, -1, -1)
        moved, at_rest = (
            {key: motion[key].expand(count, -1, -1) for key in ("value", "rotation")} for motion in (driving, source)
        )
        field = self.mfe(volume, moved, at_rest)
        return self.generator(volume, field.deformation, field.occlusion), field
