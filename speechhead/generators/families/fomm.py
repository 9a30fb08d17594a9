"""FOMM: First Order Motion Model for Image Animation (Siarohin et al., 2019); equation numbers are that paper's.

Pictures are compared through an abstract reference R: of every keypoint p_k the networks know where it is in a picture
X, T_{X<-R}(p_k), called `value`, and how its neighbourhood is deformed there, d/dp T_{X<-R}(p_k), called `jacobian`.
"""

from __future__ import annotations

from collections import OrderedDict
from math import lcm
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechhead.core.errors import ImageError
from speechhead.generators.nets.layers import (
    AntiAliasDown,
    ConvBlock,
    DownBlock,
    Hourglass,
    ResBlock,
    UpBlock,
    adaptive_scale,
    combine_motions,
    exact,
    heatmap_differences,
    inverse_2x2,
    multiply,
    resize,
    soft_argmax,
    sparse_motions,
    warp,
    warp_each,
    widths,
)
from speechhead.generators.nets.nearest import (
    MOST_MOVED,
    MOST_SEEN,
    SEEN,
    begin_with,
    bounded,
    carried,
    nearness,
    shown,
    untorn,
)

from .family import Appearance, Drawn, Family, Motion, spread
from .fomm_config import FommConfig, FommGeneratorConfig, FommKeypointConfig, FommMotionConfig
from .posed import refuse_unknown


class FommKeypointDetector(nn.Module):
    """Picture to keypoints and Jacobians, each picture by itself; section 3.1, T_{X<-R} and its derivative."""

    def __init__(self, config: FommKeypointConfig, num_kp: int, num_channels: int, estimate_jacobian: bool) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.down = AntiAliasDown(num_channels, config.scale_factor)
        self.predictor = Hourglass(2, config.block_expansion, num_channels, config.num_blocks, config.max_features)
        # Without padding: the maps are 6 smaller than the features, yet their grid spans [-1, 1] all the same.
        self.kp = nn.Conv2d(self.predictor.outputs, num_kp, 7)
        self.jacobian = nn.Conv2d(self.predictor.outputs, 4 * num_kp, 7) if estimate_jacobian else None
        if self.jacobian is not None:  # training begins with J = 1
            nn.init.zeros_(self.jacobian.weight)
            self.jacobian.bias = nn.Parameter(torch.eye(2).flatten().repeat(num_kp))

    def forward(self, image: Tensor) -> Motion:
        """[B, C, H, W] to value [B, K, 2] and jacobian [B, K, 2, 2]."""
        features = self.predictor(self.down(image))
        value, where = soft_argmax(self.kp(features), self.temperature)
        if self.jacobian is None:
            return {"value": value}
        maps = exact(self.jacobian(features)).unflatten(1, (-1, 4))
        jacobian = (where[:, :, None] * maps).sum((-2, -1)).unflatten(-1, (2, 2))
        return {"value": value, "jacobian": jacobian}


class DenseMotionNetwork(nn.Module):
    """Keypoints of source and driving picture to one motion field T_{S<-D}; section 3.1, "combining local motions"."""

    def __init__(
        self, config: FommMotionConfig, num_kp: int, num_channels: int, occlusion: bool, align_corners: bool
    ) -> None:
        super().__init__()
        self.variance, self.align_corners = config.kp_variance, align_corners
        self.down = AntiAliasDown(num_channels, config.scale_factor)
        inputs = (num_kp + 1) * (num_channels + 1)
        self.hourglass = Hourglass(2, config.block_expansion, inputs, config.num_blocks, config.max_features)
        self.mask = nn.Conv2d(self.hourglass.outputs, num_kp + 1, 7, padding=3)
        self.occlusion = nn.Conv2d(self.hourglass.outputs, 1, 7, padding=3) if occlusion else None
        self.nearest = config.nearest
        if self.nearest:  # training begins with masks of distance alone, and sees all that is not torn open
            begin_with(self.mask, 0.0)
            if self.occlusion is not None:
                begin_with(self.occlusion, SEEN)

    def forward(self, image: Tensor, source: Motion, driving: Motion) -> dict[str, Tensor]:
        """Backward motion: for every place of the driving picture, where in the source to read.

        Parameters
        ----------
        image : [B, C, h, w]; the source through `down`

        Returns
        -------
        deformation [B, h, w, 2], occlusion_map [B, 1, h, w] in 0..1 (if estimated), with `nearest` also torn, likewise,
        and what they come from: mask [B, K + 1, h, w], heatmap likewise, sparse_motion [B, K + 1, h, w, 2],
        sparse_deformed [B, K + 1, C, h, w]
        """
        shape = image.shape[2:]
        heatmap = heatmap_differences(source["value"], driving["value"], shape, self.variance)  # eq. 6
        linear = None
        if "jacobian" in driving:
            linear = multiply(source["jacobian"], inverse_2x2(driving["jacobian"]))  # eq. 5
        motions = sparse_motions(source["value"], driving["value"], shape, linear)  # eq. 4
        deformed = warp_each(image, motions, self.align_corners)

        features = self.hourglass(torch.cat([heatmap[:, :, None], deformed], dim=2).flatten(1, 2))
        logits = exact(self.mask(features))
        if self.nearest:  # of the picture's size: lips part by less than a cell of the network's
            fine = (shape[0] * self.down.step, shape[1] * self.down.step)
            logits = resize(bounded(logits, MOST_MOVED), fine) + nearness(exact(driving["value"]), fine)
        mask = F.softmax(logits, dim=1)
        if self.nearest and linear is None:
            deformation = carried(mask, exact(source["value"]), exact(driving["value"]))
        else:
            motions = sparse_motions(source["value"], driving["value"], mask.shape[2:], linear)
            deformation = combine_motions(mask, motions)  # eq. 7
        field = {
            "heatmap": heatmap,
            "sparse_motion": motions,
            "sparse_deformed": deformed,
            "mask": mask,
            "deformation": deformation,
        }
        if self.occlusion is not None:
            visible = self.occlusion(features)
            if self.nearest:
                whole = untorn(deformation.detach(), mask.detach())
                visible = torch.sigmoid(bounded(exact(visible), MOST_SEEN))
                field |= {"occlusion_map": resize(visible, fine) * whole, "torn": 1 - whole}
            else:
                field["occlusion_map"] = torch.sigmoid(visible)
        return field


class OcclusionAwareGenerator(nn.Module):
    """Source picture and motion to the driving picture; section 3.2, "occlusion-aware image generation"."""

    def __init__(self, config: FommGeneratorConfig, num_kp: int, num_channels: int, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.dense_motion_network = DenseMotionNetwork(
            config.dense_motion_params, num_kp, num_channels, config.estimate_occlusion_map, align_corners
        )
        channels = widths(config.block_expansion, config.max_features, config.num_down_blocks)
        self.channels = channels
        self.first = ConvBlock(2, num_channels, channels[0], kernel=7)
        self.down_blocks = nn.ModuleList(DownBlock(2, a, b) for a, b in zip(channels, channels[1:]))
        self.make_decoder(config, num_channels)

    def make_decoder(self, config: FommGeneratorConfig, num_channels: int) -> None:
        """Residual blocks at the warp's size, then up again."""
        channels = self.channels[::-1]
        blocks = [(f"r{i}", ResBlock(2, channels[0])) for i in range(config.num_bottleneck_blocks)]
        self.bottleneck = nn.Sequential(OrderedDict(blocks))
        self.up_blocks = nn.ModuleList(UpBlock(2, a, b) for a, b in zip(channels, channels[1:]))
        self.final = nn.Conv2d(channels[-1], num_channels, 7, padding=3)

    def appearance(self, image: Tensor) -> Appearance:
        """What the source picture gives to every frame: its features xi, and itself at the motion network's size."""
        features = self.first(image)
        for block in self.down_blocks:
            features = block(features)
        return {"image": image, "small": self.dense_motion_network.down(image), "features": features}

    def forward(self, appearance: Appearance, source: Motion, driving: Motion) -> dict[str, Tensor]:
        """The driving picture, [B, C, H, W] under `prediction`, beside the motion field's tensors.

        `deformed` is the source picture itself under the motion, `warped` the features that the decoder sees.
        """
        field = self.dense_motion_network(appearance["small"], source, driving)
        warped = self.deform(appearance["features"], field)
        deformed = warp(appearance["image"], field["deformation"], self.align_corners)
        prediction = self.shown(self.decode(warped), deformed, field)
        return {**field, "deformed": deformed, "warped": warped, "prediction": prediction}

    def shown(self, made: Tensor, deformed: Tensor, field: dict[str, Tensor]) -> Tensor:
        """What the decoder made; with `nearest` the portrait itself under the motion, where that is to be seen."""
        if not self.dense_motion_network.nearest or "occlusion_map" not in field:
            return made
        return shown(made, deformed, field["occlusion_map"], self.training)

    def deform(self, features: Tensor, field: dict[str, Tensor]) -> Tensor:
        """Features under the motion, dark where the source does not show what is needed: eq. 8."""
        warped = warp(features, field["deformation"], self.align_corners)
        if "occlusion_map" not in field:
            return warped
        return warped * resize(field["occlusion_map"], warped.shape[2:])

    def decode(self, features: Tensor) -> Tensor:
        """Warped features [B, C', h, w] to pictures in [0, 1]; inpaints what is dark."""
        features = self.bottleneck(features)
        for block in self.up_blocks:
            features = block(features)
        return torch.sigmoid(exact(self.final(features)))


class Fomm(Family):
    """First Order Motion Model: keypoint detector and generator, under their published names."""

    name: ClassVar[str] = "fomm"

    depth_channels: ClassVar[int] = 0
    """Channels that the keypoint detector sees beside the picture's."""

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        self.config = config
        self.image_size = config.image_size
        self.kp_detector = FommKeypointDetector(
            config.kp_detector,
            config.num_kp,
            config.num_channels + self.depth_channels,
            config.estimate_jacobian,
        )
        self.generator = self.make_generator()

    def make_generator(self) -> OcclusionAwareGenerator:
        """The generator that the config describes."""
        return OcclusionAwareGenerator(
            self.config.generator, self.config.num_kp, self.config.num_channels, self.config.align_corners
        )

    def appearance(self, image: Tensor) -> Appearance:
        self.check(image)
        return self.generator.appearance(image)

    def motion(self, image: Tensor) -> Motion:
        self.check(image)
        return self.kp_detector(image)

    def transfer(
        self, source: Motion, driver: Motion, first: Motion | None = None, adapt_scale: bool = True, **options: Any
    ) -> Motion:
        """The testing stage: relative motion transfer.

        With `first`, eq. 14 and 15: every keypoint of the portrait moves as the driver's has moved since its first
        frame, and its neighbourhood is deformed as the driver's has been since. `adapt_scale` scales the way by how
        much larger the portrait's face is than the driver's.
        """
        refuse_unknown(options, self.name)
        if first is None:
            return dict(driver)
        scale = adaptive_scale(source["value"], first["value"]) if adapt_scale else 1.0
        motion = {"value": source["value"] + scale * (driver["value"] - first["value"])}
        if "jacobian" in driver:
            since = multiply(driver["jacobian"], inverse_2x2(first["jacobian"]))
            motion["jacobian"] = multiply(since, source["jacobian"])
        return motion

    def render(self, appearance: Appearance, source: Motion, driving: Motion) -> Tensor:
        return self.draw(appearance, source, driving).picture

    def draw(self, appearance: Appearance, source: Motion, driving: Motion) -> Drawn:
        frames = len(driving["value"])
        made = self.generator(spread(appearance, frames), spread(source, frames), driving)
        return Drawn(made["prediction"], made["deformation"][:, None], made.get("occlusion_map"), made.get("torn"))

    def to_latent(self, motion: Motion) -> Tensor:
        """Keypoints, then Jacobians: [B, 2K], or [B, 6K].

        Both are additive near the portrait's own: a regression adds its change to the portrait's latent.
        """
        return torch.cat([motion[key].flatten(1) for key in ("value", "jacobian") if key in motion], dim=1)

    def from_latent(self, latent: Tensor, source: Motion) -> Motion:
        count = self.config.num_kp
        motion = {"value": latent[:, : 2 * count].unflatten(1, (count, 2))}
        if self.config.estimate_jacobian:
            motion["jacobian"] = latent[:, 2 * count :].unflatten(1, (count, 2, 2))
        return motion

    @property
    def multiple(self) -> int:
        """The sides of pictures are multiples of this: what the networks halve comes out even."""
        detector, generator = self.config.kp_detector, self.config.generator
        dense = generator.dense_motion_params
        return lcm(
            int(1 / detector.scale_factor) * 2**detector.num_blocks,
            int(1 / dense.scale_factor) * 2**dense.num_blocks,
            2**generator.num_down_blocks,
        )

    @property
    def smallest(self) -> int:
        """Least side of a picture: the keypoint maps lose 6 pixels and must have some left."""
        return int(8 / self.config.kp_detector.scale_factor)

    def check(self, image: Tensor) -> None:
        """ImageError unless the picture's sides fit the networks."""
        height, width = image.shape[2:]
        if height % self.multiple or width % self.multiple or min(height, width) < self.smallest:
            remedy = (
                f"Resize to {self.image_size}x{self.image_size}, or to multiples of {self.multiple} "
                f"from {self.smallest} on."
            )
            raise ImageError(f"{self.name}: a picture of {width}x{height} does not fit the network. {remedy}")
