"""LivePortrait (Guo et al., 2024): face-vid2vid's volume with implicit keypoints, at 512 pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from speechhead.core.errors import WeightsError
from speechhead.generators.nets.convnext import ConvNextV2
from speechhead.generators.nets.layers import conv, multiply
from speechhead.generators.nets.spade import SpadeDecoder
from speechhead.generators.nets.volumes import (
    DenseMotion3d,
    DenseMotion3dConfig,
    MotionField,
    VolumeEncoder,
    completed,
    flow,
    leaky_block,
    warp_volume,
)

from .family import Appearance, Drawn, Motion, spread
from .head_pose import LIVEPORTRAIT
from .posed import PosedFamily, refuse_unknown
from .retargeting import Openings, Retargeting, RetargetingConfig, drive
from .retargeting_options import RetargetingOptions


@dataclass(frozen=True)
class AppearanceConfig:
    """Published `appearance_feature_extractor_params`."""

    image_channel: int = 3
    block_expansion: int = 64
    num_down_blocks: int = 2
    max_features: int = 512
    reshape_channel: int = 32
    reshape_depth: int = 16
    num_resblocks: int = 6


@dataclass(frozen=True)
class ExtractorConfig:
    """Published `motion_extractor_params`; the widths and depths of `convnextv2_tiny` unless given."""

    num_kp: int = 21
    dims: tuple[int, ...] = (96, 192, 384, 768)
    depths: tuple[int, ...] = (3, 3, 9, 3)
    num_bins: int = 66


@dataclass(frozen=True)
class WarpingConfig:
    """Published `warping_module_params`; `num_kp` may be smaller than the extractor's: the first ones are used."""

    num_kp: int = 21
    block_expansion: int = 64
    max_features: int = 512
    num_down_blocks: int = 2
    reshape_channel: int = 32
    estimate_occlusion_map: bool = True
    dense_motion: DenseMotion3dConfig = field(default_factory=DenseMotion3dConfig)


@dataclass(frozen=True)
class DecoderConfig:
    """Published `spade_generator_params`; `hidden` is a literal in the published code."""

    upscale: int | None = 2
    block_expansion: int = 64
    max_features: int = 512
    num_down_blocks: int = 2
    out_channels: int = 64
    hidden: int = 128


@dataclass(frozen=True)
class LivePortraitConfig:
    """What rebuilds a LivePortrait; `image_size` is the side of the pictures read, those made are `upscale` larger.

    retargeting : None for weights without stitching and retargeting, which lie in a file of their own
    """

    appearance: AppearanceConfig = field(default_factory=AppearanceConfig)
    extractor: ExtractorConfig = field(default_factory=ExtractorConfig)
    warping: WarpingConfig = field(default_factory=WarpingConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    retargeting: RetargetingConfig | None = field(default_factory=RetargetingConfig)
    image_size: int = 256

    @classmethod
    def full_size(cls) -> LivePortraitConfig:
        """models.yaml of the published human model."""
        return cls()

    @classmethod
    def from_published(cls, published: Mapping[str, Any]) -> LivePortraitConfig:
        """From models.yaml, or its `model_params`; a `spade_hidden` beside them replaces the code's literal.

        Raises
        ------
        KeyError if it is no such configuration.
        """
        params = published.get("model_params", published)
        warping = dict(params["warping_module_params"])
        dense = DenseMotion3dConfig(**warping.pop("dense_motion_params"))
        extractor = {k: tuple(v) if isinstance(v, list) else v for k, v in params["motion_extractor_params"].items()}
        hidden = published.get("spade_hidden", DecoderConfig.hidden)
        return cls(
            appearance=AppearanceConfig(**_known(AppearanceConfig, params["appearance_feature_extractor_params"])),
            extractor=ExtractorConfig(**_known(ExtractorConfig, extractor)),
            warping=WarpingConfig(**_known(WarpingConfig, warping), dense_motion=dense),
            decoder=DecoderConfig(**_known(DecoderConfig, params["spade_generator_params"]), hidden=hidden),
            retargeting=RetargetingConfig.from_published(params["stitching_retargeting_module_params"]),
        )

    def fitted_to(self, state: Mapping[str, Tensor]) -> LivePortraitConfig:
        """With the width that no published file names, read off the weights, and without networks that they lack."""
        key = "spade_generator.up_0.norm_0.mlp_shared.0.weight"
        if key not in state:
            return self
        there = any(name.startswith("stitching_retargeting_module.") for name in state)
        decoder = replace(self.decoder, hidden=state[key].shape[0])
        return replace(self, decoder=decoder, retargeting=self.retargeting if there else None)


def _known(kind: type, params: Mapping[str, Any]) -> dict[str, Any]:
    names = {entry.name for entry in fields(kind)}
    return {key: value for key, value in params.items() if key in names}


class MotionExtractor(nn.Module):
    """M: one ConvNeXt V2 for canonical keypoints, head pose, expression, translation and scale (section 3.2)."""

    def __init__(self, config: ExtractorConfig) -> None:
        super().__init__()
        self.detector = ConvNextV2(config.dims, config.depths, config.num_kp, config.num_bins)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Raw outputs; see `ConvNextV2`."""
        return self.detector(image)


class WarpingModule(nn.Module):
    """W: the source's volume, read along the motion field and folded to the generator's input (section 3.2)."""

    def __init__(self, config: WarpingConfig) -> None:
        super().__init__()
        self.num_kp = config.num_kp
        self.dense_motion_network = DenseMotion3d(
            config.dense_motion, config.num_kp, config.reshape_channel, config.estimate_occlusion_map
        )
        wide = config.block_expansion * 2**config.num_down_blocks
        self.third = leaky_block(config.max_features, wide)
        self.fourth = conv(2, wide, wide, 1)

    def field(self, volume: Tensor, driving: Tensor, source: Tensor, size: int = 0) -> MotionField:
        """The motion field of keypoints [B, K, 3]; `size` : side of the picture, px, for `nearest`."""
        return self.dense_motion_network(volume, driving[:, : self.num_kp], source[:, : self.num_kp], size)

    def warped(self, volume: Tensor, field: MotionField) -> Tensor:
        """The generator's input [B, C', h, w]."""
        return warp_volume(volume, field, self.third, self.fourth)

    def forward(self, volume: Tensor, driving: Tensor, source: Tensor) -> Tensor:
        return self.warped(volume, self.field(volume, driving, source))


class LivePortrait(PosedFamily):
    """LivePortrait: x = s (x_c R + delta) + t (section 3.2), rows as points; t_z does nothing."""

    name = "liveportrait"
    convention = LIVEPORTRAIT
    has_scale = True

    def __init__(self, config: LivePortraitConfig) -> None:
        super().__init__()
        self.config = config
        self.image_size = config.image_size
        look, made = config.appearance, config.decoder
        self.appearance_feature_extractor = VolumeEncoder(
            look.block_expansion,
            look.num_down_blocks,
            look.max_features,
            look.reshape_channel,
            look.reshape_depth,
            look.num_resblocks,
            image_channel=look.image_channel,
        )
        self.motion_extractor = MotionExtractor(config.extractor)
        self.warping_module = WarpingModule(config.warping)
        self.spade_generator = SpadeDecoder(
            min(made.max_features, made.block_expansion * 2**made.num_down_blocks),
            made.out_channels,
            hidden=made.hidden,
            upscale=made.upscale or 1,
        )
        self.stitching_retargeting_module = None if config.retargeting is None else Retargeting(config.retargeting)

    @property
    def retargeting(self) -> Retargeting:
        """The three small networks; WeightsError where the weights came without."""
        if self.stitching_retargeting_module is None:
            raise WeightsError(
                "these LivePortrait weights lack stitching and retargeting. Import them with"
                " stitching_retargeting_module.pth."
            )
        return self.stitching_retargeting_module

    def appearance(self, image: Tensor) -> Appearance:
        """'volume': f_s, [B, C, D, H / 4, W / 4]; with `nearest` also 'image', the picture itself."""
        volume = {"volume": self.appearance_feature_extractor(image)}
        return {**volume, "image": image} if self.config.warping.dense_motion.nearest else volume

    def keypoints(self, motion: Motion) -> Tensor:
        """The transformation of section 3.2, x = s (x_c R + delta) + t, [B, K, 3]."""
        turned = multiply(motion["canonical"], motion["rotation"]) + motion["expression"]
        shift = motion["translation"] * motion["translation"].new_tensor([1.0, 1.0, 0.0])
        return motion["scale"][..., None] * turned + shift[:, None]

    def parts(self, raw: Mapping[str, Tensor]) -> Motion:
        """The parts of a motion from the extractor's raw outputs."""
        angles = torch.stack([self.convention.degrees(raw[name]) for name in ("yaw", "pitch", "roll")], dim=1)
        return {
            "canonical": raw["kp"].unflatten(1, (-1, 3)),
            "angles": angles,
            "translation": raw["t"],
            "expression": raw["exp"].unflatten(1, (-1, 3)),
            "scale": raw["scale"],
        }

    def motion(self, image: Tensor) -> Motion:
        return self.posed(**self.parts(self.motion_extractor(image)))

    def transfer(
        self,
        source: Motion,
        driver: Motion,
        first: Motion | None = None,
        source_open: Openings | None = None,
        driver_open: Openings | None = None,
        **options: Any,
    ) -> Motion:
        """The portrait in the driver's motion; see `retargeting.drive`.

        `options` are the fields of `RetargetingOptions`; relative is True if `first` is given. The openings of eyes
        and lips come from landmarks, and are needed for retargeting and for closing the portrait's lips.
        """
        names = {entry.name for entry in fields(RetargetingOptions)}
        refuse_unknown({key: value for key, value in options.items() if key not in names}, self.name)
        chosen = RetargetingOptions(**{"relative": first is not None, **options})
        networks = self.stitching_retargeting_module
        parts, value = drive(networks, self.keypoints, source, driver, first, chosen, source_open, driver_open)
        return {**self.posed(**parts), "value": value}

    def render(self, appearance: Appearance, source: Motion, driving: Motion) -> Tensor:
        return self.draw(appearance, source, driving).picture

    def draw(self, appearance: Appearance, source: Motion, driving: Motion) -> Drawn:
        driven, at_rest = torch.broadcast_tensors(driving["value"], source["value"])
        seen = spread(appearance, len(driven))
        volume, portrait = seen["volume"], seen.get("image")
        size = 0 if portrait is None else portrait.shape[-1] * (self.config.decoder.upscale or 1)
        field = self.warping_module.field(volume, driven, at_rest, size)
        picture = self.spade_generator(self.warping_module.warped(volume, field))
        shown = completed(picture, portrait, field, self.training)
        return Drawn(shown, flow(field), field.occlusion, field.torn)
