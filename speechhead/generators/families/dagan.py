"""DaGAN: Depth-Aware GAN for Talking Head Video Generation (Hong et al., 2022): FOMM that also sees the face's depth.

Section 3.1 of the paper is `depth.py`, 3.2 the keypoints of RGB and depth, 3.3 the cross-modal attention here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import lcm
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechhead.generators.nets.layers import ConvBlock, DownBlock, resize, warp
from speechhead.generators.nets.spade import SpadeDecoder

from .depth import RESNET18, RESNET50, DepthConfig, DepthDecoder, DepthEncoder
from .family import Appearance, Motion
from .fomm import Fomm, OcclusionAwareGenerator
from .fomm_config import FommConfig, FommGeneratorConfig, published_common, submodule

if TYPE_CHECKING:
    from .fomm_config import State


@dataclass(frozen=True)
class SpadeConfig:
    """Decoder of the SPADE form. channels: of the features that it gets; out_channels: before its last convolution;
    compressed: of the features in the segmentation, beside the picture; hidden: inside the norms."""

    channels: int = 256
    out_channels: int = 64
    compressed: int = 4
    hidden: int = 128

    @classmethod
    def from_published(cls, published: Mapping[str, Any]) -> SpadeConfig:
        """The published one, but for the widths that `patched_widths`, if there, names."""
        names = {"spade_ic": "channels", "spade_oc": "out_channels", "spade_cc": "compressed", "spade_hidden": "hidden"}
        patched = published.get("patched_widths", {})
        return cls(**{ours: patched[theirs] for theirs, ours in names.items() if theirs in patched})


@dataclass(frozen=True)
class DaganGeneratorConfig(FommGeneratorConfig):
    """FOMM's, and the SPADE decoder in place of FOMM's, if any."""

    spade: SpadeConfig | None = None


@dataclass(frozen=True)
class DaganConfig(FommConfig):
    """FOMM's, and the depth networks."""

    generator: DaganGeneratorConfig
    depth: DepthConfig = field(default_factory=DepthConfig)

    @classmethod
    def from_published(
        cls, published: Mapping[str, Any], spade: bool = False, depth_layers: int = RESNET18
    ) -> DaganConfig:
        """From a published YAML's content, or its `model_params` alone; which generator and ResNet it does not say.

        `patched_widths`, if there, names widths that the published code has no option for.
        """
        params = published.get("model_params", published)
        generator = params["generator_params"]
        if spade:
            decoder = SpadeConfig.from_published(published)
            generator = {**params.get("generator_spade_params", generator), "spade": decoder}
        return cls(
            **published_common(published),
            generator=DaganGeneratorConfig.from_published(generator),
            depth=DepthConfig.from_published(published, depth_layers),
        )

    @classmethod
    def full_size(cls, spade: bool = False, depth_layers: int = RESNET18) -> DaganConfig:
        """The published model, vox-adv-256 with 15 keypoints."""
        fomm = FommConfig.full_size()
        generator = DaganGeneratorConfig(**vars(fomm.generator), spade=SpadeConfig() if spade else None)
        return cls(15, fomm.kp_detector, generator, depth=DepthConfig(depth_layers))

    def fitted_to(self, state: State) -> DaganConfig:
        """With the form and sizes that a state dict has."""
        generator, encoder = submodule(state, "generator"), submodule(state, "depth_encoder")
        fitted = super().fitted_to(state)
        if fitted is self or "encoder.fc.weight" not in encoder:
            return self
        spade = None
        if "decoder.compress.weight" in generator:
            spade = SpadeConfig(
                channels=generator["decoder.compress.weight"].shape[1],
                out_channels=generator["decoder.conv_img.weight"].shape[1],
                compressed=len(generator["decoder.compress.weight"]),
                hidden=len(generator["decoder.up_0.norm_0.mlp_shared.0.weight"]),
            )
        stages = [encoder[f"encoder.layer{i}.0.conv1.weight"] for i in range(1, 5)]
        decoder = submodule(state, "depth_decoder")
        depth = DepthConfig(
            layers=RESNET50 if "encoder.layer1.0.conv3.weight" in encoder else RESNET18,
            encoder_widths=(len(encoder["encoder.conv1.weight"]), *(len(weight) for weight in stages)),
            decoder_widths=tuple(len(decoder[f"decoder.{2 * i}.conv.conv.weight"]) for i in reversed(range(5))),
            classes=len(encoder["encoder.fc.weight"]),
        )
        return replace(fitted, generator=replace(fitted.generator, spade=spade), depth=depth)


class CrossModalAttention(nn.Module):
    """Depth asks, appearance answers; section 3.3.

    F_g = softmax(Q_d K_w^T) V_w: every place of the source's depth features gathers what it needs from all places of
    the warped appearance features. There is no 1 / sqrt(d). gamma, learned from 0 on, weighs the gathered against the
    features themselves.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_conv = nn.Conv2d(channels, channels // 8, 1)
        self.key_conv = nn.Conv2d(channels, channels // 8, 1)
        self.value_conv = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, depth: Tensor, warped: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, C, h, w] of both to the attended ones, and the attention [B, h w, h w], rows summing to 1."""
        query = F.relu(self.query_conv(depth)).flatten(2)
        key = F.relu(self.key_conv(warped)).flatten(2)
        value = F.relu(self.value_conv(warped)).flatten(2)
        attention = F.softmax(query.transpose(1, 2) @ key, dim=-1)
        gathered = (value @ attention.transpose(1, 2)).unflatten(2, warped.shape[2:])
        return self.gamma * gathered + warped, attention


class DepthSpadeDecoder(SpadeDecoder):
    """SPADE decoder whose segmentation is the compressed features and the warped portrait itself."""

    def __init__(self, config: SpadeConfig, num_channels: int) -> None:
        labels = config.compressed + num_channels
        super().__init__(config.channels, config.out_channels, labels, config.hidden, middle=3)
        self.compress = nn.Conv2d(config.channels, config.compressed, 3, padding=1)

    def paint(self, features: Tensor, deformed: Tensor) -> Tensor:
        """Pictures from attended features [B, C, h, w] and the warped, occluded portrait [B, 3, H, W]."""
        compressed = F.interpolate(self.compress(features), size=deformed.shape[2:], mode="nearest")
        return self(features, torch.cat([compressed, deformed], dim=1))


class DepthAwareGenerator(OcclusionAwareGenerator):
    """FOMM's generator with the attention between the warp and the decoder."""

    def __init__(self, config: DaganGeneratorConfig, num_kp: int, num_channels: int, align_corners: bool) -> None:
        super().__init__(config, num_kp, num_channels, align_corners)
        self.src_first = ConvBlock(2, 1, self.channels[0], kernel=7)
        self.src_down_blocks = nn.ModuleList(DownBlock(2, a, b) for a, b in zip(self.channels, self.channels[1:]))
        self.AttnModule = CrossModalAttention(self.channels[-1])

    def make_decoder(self, config: FommGeneratorConfig, num_channels: int) -> None:
        spade = config.spade if isinstance(config, DaganGeneratorConfig) else None
        self.decoder = DepthSpadeDecoder(spade, num_channels) if spade is not None else None
        if spade is None:
            super().make_decoder(config, num_channels)

    def depth_features(self, depth: Tensor) -> Tensor:
        """Features of the portrait's depth [B, 1, H, W], as large as those of its appearance."""
        features = self.src_first(depth)
        for block in self.src_down_blocks:
            features = block(features)
        return features

    def forward(self, appearance: Appearance, source: Motion, driving: Motion) -> dict[str, Tensor]:
        """As FOMM's, with `attended` (what the decoder sees) and `attention`; `appearance` has `depth_features` too."""
        field = self.dense_motion_network(appearance["small"], source, driving)
        warped = self.deform(appearance["features"], field)
        attended, attention = self.AttnModule(appearance["depth_features"], warped)
        deformed = warp(appearance["image"], field["deformation"], self.align_corners)
        if self.decoder is None:
            prediction = self.shown(self.decode(attended), deformed, field)
        else:
            visible = resize(field["occlusion_map"], deformed.shape[2:]) if "occlusion_map" in field else 1.0
            prediction = self.decoder.paint(attended, deformed * visible)
        states = {"warped": warped, "attended": attended, "attention": attention, "deformed": deformed}
        return {**field, **states, "prediction": prediction}


class Dagan(Fomm):
    """Depth networks, RGBD keypoint detector and depth-aware generator, under their published names."""

    name: ClassVar[str] = "dagan"
    depth_channels: ClassVar[int] = 1  # section 3.2: keypoints are found in the picture and its depth together
    config: DaganConfig
    generator: DepthAwareGenerator

    def __init__(self, config: DaganConfig) -> None:
        super().__init__(config)
        self.depth_encoder = DepthEncoder(config.depth)
        self.depth_decoder = DepthDecoder(config.depth)

    def make_generator(self) -> OcclusionAwareGenerator:
        config = self.config
        return DepthAwareGenerator(config.generator, config.num_kp, config.num_channels, config.align_corners)

    def depth(self, image: Tensor) -> Tensor:
        """Disparity [B, 1, H, W] in 0..1 of pictures; section 3.1."""
        return self.depth_decoder(self.depth_encoder(image))[0]

    @property
    def multiple(self) -> int:
        return lcm(super().multiple, 32)  # the ResNet halves five times

    @property
    def smallest(self) -> int:
        return max(super().smallest, 64)  # its last map is mirrored at the border, which takes two pixels

    def appearance(self, image: Tensor) -> Appearance:
        self.check(image)
        return {
            **self.generator.appearance(image),
            "depth_features": self.generator.depth_features(self.depth(image)),
        }

    def motion(self, image: Tensor) -> Motion:
        self.check(image)
        return self.kp_detector(torch.cat([image, self.depth(image)], dim=1))
