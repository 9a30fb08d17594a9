"""face-vid2vid (Wang et al., 2021) as One-Shot_Free-View published it, with the plain or the SPADE generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechhead.core.errors import WeightsError
from speechhead.generators.nets.layers import (
    AntiAliasDown,
    DownBlock,
    ResBlock,
    UpBlock,
    batch_norm,
    conv,
    exact,
    soft_argmax,
    widths,
)
from speechhead.generators.nets.spade import SpadeDecoder
from speechhead.generators.nets.volumes import (
    DenseMotion3d,
    DenseMotion3dConfig,
    MotionField,
    VolumeEncoder,
    completed,
    flow,
    leaky_block,
    named,
    warp_volume,
)

from .family import Appearance, Drawn, Motion, spread
from .head_pose import CONVENTIONS
from .posed import FaceVid2VidMotion


@dataclass(frozen=True)
class CanonicalKeypointConfig:
    """Published `kp_detector_params`."""

    temperature: float = 0.1
    block_expansion: int = 32
    max_features: int = 1024
    scale_factor: float = 0.25
    num_blocks: int = 5
    reshape_channel: int = 16384
    reshape_depth: int = 16


@dataclass(frozen=True)
class HeadPoseConfig:
    """Published `he_estimator_params`; `stages` are the widths of the four stages, the last is `max_features` there."""

    block_expansion: int = 64
    stages: tuple[int, ...] = (256, 512, 1024, 2048)
    num_bins: int = 66


@dataclass(frozen=True)
class VolumeGeneratorConfig:
    """Published `generator_params`; the three SPADE widths are literals in the published code."""

    block_expansion: int = 64
    max_features: int = 512
    num_down_blocks: int = 2
    reshape_channel: int = 32
    reshape_depth: int = 16
    num_resblocks: int = 6
    estimate_occlusion_map: bool = True
    dense_motion: DenseMotion3dConfig = field(default_factory=DenseMotion3dConfig)
    spade_channels: int = 256
    spade_out_channels: int = 64
    spade_hidden: int = 128


@dataclass(frozen=True)
class FaceVid2VidConfig:
    """What rebuilds a face-vid2vid.

    form : 'original' or 'spade', the generator
    rotation : 'osfv', or 'beta' for the vox-256-beta checkpoint, which was trained with another order of the angles
    image_size : side of the pictures it was trained on
    """

    num_kp: int = 15
    image_channel: int = 3
    kp_detector: CanonicalKeypointConfig = field(default_factory=CanonicalKeypointConfig)
    he_estimator: HeadPoseConfig = field(default_factory=HeadPoseConfig)
    generator: VolumeGeneratorConfig = field(default_factory=VolumeGeneratorConfig)
    form: str = "original"
    rotation: str = "osfv"
    image_size: int = 256

    @classmethod
    def full_size(cls, form: str = "original") -> FaceVid2VidConfig:
        """vox-256.yaml (published as vox-256-new)."""
        return cls(form=form)

    @classmethod
    def beta(cls, form: str = "original") -> FaceVid2VidConfig:
        """vox-256-beta.yaml: keypoints are found in the whole picture, and the angles have another order."""
        return cls(kp_detector=CanonicalKeypointConfig(scale_factor=1), form=form, rotation="beta")

    @classmethod
    def from_published(cls, published: Mapping[str, Any], form: str = "original") -> FaceVid2VidConfig:
        """From a published yaml, or its `model_params`; `patched_widths` beside them replace the code's literals.

        Raises
        ------
        KeyError if it is no such configuration; WeightsError if it wants what the published weights do not have.
        """
        params = published.get("model_params", published)
        patched = published.get("patched_widths", {})
        common, keypoint = params["common_params"], dict(params["kp_detector_params"])
        head, made = params["he_estimator_params"], dict(params["generator_params"])
        if common.get("estimate_jacobian"):
            raise WeightsError("estimate_jacobian: true is not supported. Use vox-256.yaml's settings (false).")
        dense = DenseMotion3dConfig(**made.pop("dense_motion_params"))
        widths = {
            f"spade_{ours}": patched[f"spade_{theirs}"]
            for ours, theirs in {"channels": "ic", "out_channels": "oc", "hidden": "hidden"}.items()
            if f"spade_{theirs}" in patched
        }
        stages = tuple(patched.get("he", (256, 512, 1024, head["max_features"])))
        known = CanonicalKeypointConfig.__dataclass_fields__
        return cls(
            num_kp=common["num_kp"],
            image_channel=common.get("image_channel", 3),
            kp_detector=CanonicalKeypointConfig(**{key: value for key, value in keypoint.items() if key in known}),
            he_estimator=HeadPoseConfig(head["block_expansion"], stages, head["num_bins"]),
            generator=VolumeGeneratorConfig(**made, dense_motion=dense, **widths),
            form=form,
            image_size=published.get("dataset_params", {}).get("frame_shape", (256,))[0],
        )

    def fitted_to(self, state: Mapping[str, Tensor]) -> FaceVid2VidConfig:
        """With what the weights themselves tell: the generator's form, and the widths that no published file names."""
        generator, head, keypoint = self.generator, self.he_estimator, self.kp_detector
        form = "spade" if "generator.decoder.fc.weight" in state else "original"
        if form == "spade":
            hidden, channels = state["generator.decoder.up_0.norm_0.mlp_shared.0.weight"].shape[:2]
            out = state["generator.decoder.conv_img.weight"].shape[1]
            generator = replace(generator, spade_channels=channels, spade_out_channels=out, spade_hidden=hidden)
        stages = [f"he_estimator.conv{i}.weight" for i in range(2, 6)]
        if all(key in state for key in stages):
            head = replace(head, stages=tuple(state[key].shape[0] for key in stages))
        if "kp_detector.predictor.conv.weight" in state and "kp_detector.down.weight" not in state:
            keypoint = replace(keypoint, scale_factor=1)
        fitted = replace(self, form=form, generator=generator, he_estimator=head, kp_detector=keypoint)
        # Of the published models only vox-256-beta sees the whole picture.
        return self.beta(form) if replace(fitted, rotation="beta") == self.beta(form) else fitted


class CanonicalKeypointDetector(nn.Module):
    """Canonical keypoints x_c,k of a face, whatever its pose and expression (face-vid2vid, section 3.1).

    A 2-D encoder, whose channels are then seen as a volume, a 3-D decoder, and a soft argmax.
    """

    def __init__(self, config: CanonicalKeypointConfig, num_kp: int, image_channel: int = 3) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.down = AntiAliasDown(image_channel, config.scale_factor)
        self.predictor = _VolumeHourglass(config, image_channel)
        self.kp = conv(3, config.block_expansion, num_kp, 3)

    def logits(self, features: Tensor) -> Tensor:
        return self.kp(features)

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] to keypoints [B, K, 3]."""
        return soft_argmax(self.logits(self.predictor(self.down(image))), self.temperature)[0]


class _VolumeHourglass(nn.Module):
    def __init__(self, config: CanonicalKeypointConfig, image_channel: int) -> None:
        super().__init__()
        steps = widths(config.block_expansion, config.max_features, config.num_blocks)
        count = len(steps) - 1
        self.down_blocks = nn.Sequential()
        self.up_blocks = nn.Sequential()
        for i, (inputs, outputs) in enumerate(zip([image_channel, *steps[1:]], steps[1:])):
            self.down_blocks.add_module(f"down{i}", DownBlock(2, inputs, outputs))
        self.conv = conv(2, steps[-1], config.reshape_channel, 1)
        self.volume = (config.reshape_channel // config.reshape_depth, config.reshape_depth)
        for i in range(count):
            inputs = self.volume[0] if i == 0 else steps[count - i]
            self.up_blocks.add_module(f"up{i}", UpBlock(3, inputs, steps[count - i - 1]))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.down_blocks(x))
        return self.up_blocks(x.unflatten(1, self.volume))


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1 (He et al., 2016); with a stride, the shortcut has a convolution too."""

    def __init__(self, features: int, stride: int = 1) -> None:
        super().__init__()
        inner = features // 4
        self.conv1 = nn.Conv2d(features, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1)
        self.conv3 = nn.Conv2d(inner, features, 1)
        self.norm1, self.norm2, self.norm3 = batch_norm(2, inner), batch_norm(2, inner), batch_norm(2, features)
        self.stride = stride
        if stride != 1:
            self.skip = nn.Conv2d(features, features, 1, stride=stride)
            self.norm4 = batch_norm(2, features)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        shortcut = self.norm4(self.skip(x)) if self.stride != 1 else x
        return F.relu(self.norm3(self.conv3(y)) + shortcut)


class HeadPoseEstimator(nn.Module):
    """Head pose estimator H and expression deformation estimator Delta (face-vid2vid, sections 3.1, 3.2)."""

    def __init__(self, config: HeadPoseConfig, num_kp: int, image_channel: int = 3) -> None:
        super().__init__()
        stem, (first, second, third, fourth) = config.block_expansion, config.stages
        # ResNet-50: stages of 3, 4, 6 and 3 bottlenecks.
        self.conv1, self.norm1 = nn.Conv2d(image_channel, stem, 7, stride=2, padding=3), batch_norm(2, stem)
        self.conv2, self.norm2 = nn.Conv2d(stem, first, 1), batch_norm(2, first)
        self.block1 = named("b1_", 3, partial(Bottleneck, first))
        self.conv3, self.norm3 = nn.Conv2d(first, second, 1), batch_norm(2, second)
        self.block2 = Bottleneck(second, stride=2)
        self.block3 = named("b3_", 3, partial(Bottleneck, second))
        self.conv4, self.norm4 = nn.Conv2d(second, third, 1), batch_norm(2, third)
        self.block4 = Bottleneck(third, stride=2)
        self.block5 = named("b5_", 5, partial(Bottleneck, third))
        self.conv5, self.norm5 = nn.Conv2d(third, fourth, 1), batch_norm(2, fourth)
        self.block6 = Bottleneck(fourth, stride=2)
        self.block7 = named("b7_", 2, partial(Bottleneck, fourth))
        self.fc_yaw = nn.Linear(fourth, config.num_bins)
        self.fc_pitch = nn.Linear(fourth, config.num_bins)
        self.fc_roll = nn.Linear(fourth, config.num_bins)
        self.fc_t = nn.Linear(fourth, 3)
        self.fc_exp = nn.Linear(fourth, 3 * num_kp)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Logits 'yaw', 'pitch', 'roll' [B, bins], 't' [B, 3] and 'exp' [B, 3 K] of pictures [B, 3, H, W]."""
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(image))), 3, stride=2, padding=1)
        x = self.block1(F.relu(self.norm2(self.conv2(x))))
        x = self.block3(self.block2(F.relu(self.norm3(self.conv3(x)))))
        x = self.block5(self.block4(F.relu(self.norm4(self.conv4(x)))))
        x = self.block7(self.block6(F.relu(self.norm5(self.conv5(x)))))
        x = x.mean((2, 3))
        # Published weights were trained with yaw and roll crossed.
        return {
            "yaw": self.fc_roll(x),
            "pitch": self.fc_pitch(x),
            "roll": self.fc_yaw(x),
            "t": self.fc_t(x),
            "exp": self.fc_exp(x),
        }


class VolumeGenerator(VolumeEncoder):
    """Appearance volume, motion field and picture in one module (face-vid2vid, sections 3.1 and 3.3).

    `form` 'original' decodes by residual and upsampling blocks, 'spade' by a SPADE decoder.
    """

    def __init__(self, config: VolumeGeneratorConfig, form: str, num_kp: int, image_channel: int = 3) -> None:
        super().__init__(
            config.block_expansion,
            config.num_down_blocks,
            config.max_features,
            config.reshape_channel,
            config.reshape_depth,
            config.num_resblocks,
            first_kernel=3 if form == "spade" else 7,
            image_channel=image_channel,
        )
        self.dense_motion_network = DenseMotion3d(
            config.dense_motion, num_kp, config.reshape_channel, config.estimate_occlusion_map
        )
        wide = config.block_expansion * 2**config.num_down_blocks
        self.third = leaky_block(config.max_features, wide)
        self.fourth = conv(2, wide, wide, 1)
        if form == "spade":
            self.decoder: nn.Module | None = SpadeDecoder(
                config.spade_channels, config.spade_out_channels, hidden=config.spade_hidden
            )
            return
        self.decoder = None
        self.resblocks_2d = named("2dr", config.num_resblocks, partial(ResBlock, 2, wide))
        steps = [config.block_expansion * 2**i for i in range(config.num_down_blocks, -1, -1)]
        self.up_blocks = nn.Sequential(*(UpBlock(2, a, b) for a, b in zip(steps, steps[1:])))
        self.final = conv(2, config.block_expansion, image_channel, 7)

    def warped(self, volume: Tensor, field: MotionField) -> Tensor:
        """The source's features where the driving picture has them, [B, C', h, w]."""
        return warp_volume(volume, field, self.third, self.fourth)

    def decode(self, features: Tensor) -> Tensor:
        """Warped features to pictures in [0, 1]."""
        if self.decoder is not None:
            return self.decoder(features)
        return torch.sigmoid(exact(self.final(self.up_blocks(self.resblocks_2d(features)))))

    def generate(
        self, volume: Tensor, driving: Tensor, source: Tensor, portrait: Tensor | None = None
    ) -> tuple[Tensor, MotionField]:
        """Pictures from f_s [B, C, D, h, w] and keypoints [B, K, 3], and the field that was used.

        portrait : [B, 3, S, S]; the picture of f_s, which is shown under the motion with `nearest`
        """
        size = 0 if portrait is None else portrait.shape[-1]
        field = self.dense_motion_network(volume, driving, source, size)
        return completed(self.decode(self.warped(volume, field)), portrait, field, self.training), field


class FaceVid2Vid(FaceVid2VidMotion):
    """face-vid2vid: x = R x_c + t + delta (Wang et al., 2021, equation 1); driving keypoints have the source's x_c."""

    name = "face-vid2vid"

    def __init__(self, config: FaceVid2VidConfig) -> None:
        super().__init__()
        if config.form not in ("original", "spade"):
            raise WeightsError(f"form '{config.form}' of face-vid2vid is unknown. Use original or spade.")
        if config.rotation not in CONVENTIONS:
            raise WeightsError(f"rotation '{config.rotation}' is unknown. Use one of {', '.join(CONVENTIONS)}.")
        self.config = config
        self.image_size = config.image_size
        self.convention = CONVENTIONS[config.rotation]
        self.kp_detector = CanonicalKeypointDetector(config.kp_detector, config.num_kp, config.image_channel)
        self.he_estimator = HeadPoseEstimator(config.he_estimator, config.num_kp, config.image_channel)
        self.generator = VolumeGenerator(config.generator, config.form, config.num_kp, config.image_channel)

    def appearance(self, image: Tensor) -> Appearance:
        """'volume': f_s, [B, C, D, H / 4, W / 4]; with `nearest` also 'image', the picture itself."""
        volume = {"volume": self.generator.encode(image)}
        return {**volume, "image": image} if self.config.generator.dense_motion.nearest else volume

    def pose(self, head: Mapping[str, Tensor]) -> Motion:
        """Angles in degrees, translation and expression from the estimator's raw outputs."""
        angles = torch.stack([self.convention.degrees(head[name]) for name in ("yaw", "pitch", "roll")], dim=1)
        return {"angles": angles, "translation": head["t"], "expression": head["exp"].unflatten(1, (-1, 3))}

    def motion(self, image: Tensor) -> Motion:
        return self.posed(canonical=self.kp_detector(image), **self.pose(self.he_estimator(image)))

    def render(self, appearance: Appearance, source: Motion, driving: Motion) -> Tensor:
        return self.draw(appearance, source, driving).picture

    def draw(self, appearance: Appearance, source: Motion, driving: Motion) -> Drawn:
        driven, at_rest = torch.broadcast_tensors(driving["value"], source["value"])
        seen = spread(appearance, len(driven))
        picture, field = self.generator.generate(seen["volume"], driven, at_rest, seen.get("image"))
        return Drawn(picture, flow(field), field.occlusion, field.torn)
