"""Configurations of FOMM and of what DaGAN shares with it: published ones, and read off a state dict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from speechhead.generators.nets.layers import KEYPOINT_VARIANCE, widths

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import Self

    State = Mapping[str, Tensor]


@dataclass(frozen=True)
class FommKeypointConfig:
    """Keypoint detector. block_expansion, max_features, num_blocks: of its hourglass; temperature: of the soft-argmax;
    scale_factor: size of the picture that it sees, of the whole."""

    block_expansion: int
    max_features: int
    num_blocks: int
    temperature: float = 0.1
    scale_factor: float = 1.0


@dataclass(frozen=True)
class FommMotionConfig:
    """Dense motion network. block_expansion, max_features, num_blocks: of its hourglass; scale_factor: size of the
    picture that it sees, of the whole; kp_variance: of the keypoints' Gaussians; nearest: for keypoints that are places
    of a face. Masks begin with how near a place is to each (`nearest.nearness`), and what is torn open is hidden
    (`nearest.untorn`), both of the picture's own size; what is not hidden is the portrait itself under the motion."""

    block_expansion: int
    max_features: int
    num_blocks: int
    scale_factor: float = 1.0
    kp_variance: float = KEYPOINT_VARIANCE
    nearest: bool = False


@dataclass(frozen=True)
class FommGeneratorConfig:
    """Generator. num_down_blocks: halvings before the warp; num_bottleneck_blocks: residual blocks after it;
    estimate_occlusion_map: whether the motion network also says what the portrait does not show."""

    block_expansion: int
    max_features: int
    num_down_blocks: int
    num_bottleneck_blocks: int
    dense_motion_params: FommMotionConfig
    estimate_occlusion_map: bool = False

    @classmethod
    def from_published(cls, params: Mapping[str, Any]) -> Self:
        """`generator_params` of a published configuration."""
        return cls(**{**params, "dense_motion_params": FommMotionConfig(**params["dense_motion_params"])})

    def fitted_to(self, state: State) -> Self:
        """With the widths and depths that a generator's state dict has."""
        downs = _widths(state, "down_blocks")
        expansion = len(state["first.conv.weight"])
        network = "dense_motion_network"
        return replace(
            self,
            block_expansion=expansion,
            max_features=_cap(expansion, downs, self.max_features),
            num_down_blocks=len(downs),
            num_bottleneck_blocks=_bottlenecks(state) if "final.weight" in state else self.num_bottleneck_blocks,
            dense_motion_params=replace(
                self.dense_motion_params,
                **_hourglass(state, f"{network}.hourglass", self.dense_motion_params.max_features),
                scale_factor=_scale(state, f"{network}.down.weight"),
            ),
            estimate_occlusion_map=f"{network}.occlusion.weight" in state,
        )


@dataclass(frozen=True)
class FommConfig:
    """The family. estimate_jacobian: keypoints with Jacobians, or plain ones (zeroth order, as in Monkey-Net);
    align_corners: how warps read positions, see `layers.warp`; image_size: side of the pictures it was made for."""

    num_kp: int
    kp_detector: FommKeypointConfig
    generator: FommGeneratorConfig
    num_channels: int = 3
    estimate_jacobian: bool = True
    align_corners: bool = False
    image_size: int = 256

    @classmethod
    def from_published(cls, published: Mapping[str, Any]) -> FommConfig:
        """From a published YAML's content, or its `model_params` alone.

        Raises KeyError, TypeError for what is missing or unknown there.
        """
        generator = published.get("model_params", published)["generator_params"]
        return cls(**published_common(published), generator=FommGeneratorConfig.from_published(generator))

    @classmethod
    def full_size(cls) -> FommConfig:
        """vox-256 and vox-adv-256, the published face models."""
        generator = FommGeneratorConfig(64, 512, 2, 6, FommMotionConfig(64, 1024, 5, 0.25), True)
        return cls(10, FommKeypointConfig(32, 1024, 5, 0.1, 0.25), generator)

    def fitted_to(self, state: State) -> Self:
        """With the sizes of a state dict, keys `kp_detector.*` and `generator.*`; as it is where they are absent."""
        detector, generator = submodule(state, "kp_detector"), submodule(state, "generator")
        if "kp.weight" not in detector or "first.conv.weight" not in generator:
            return self  # not this family's weights: the comparison with the network will say so
        return replace(
            self,
            num_kp=len(detector["kp.weight"]),
            num_channels=generator["first.conv.weight"].shape[1],
            estimate_jacobian="jacobian.weight" in detector,
            kp_detector=replace(
                self.kp_detector,
                **_hourglass(detector, "predictor", self.kp_detector.max_features),
                scale_factor=_scale(detector, "down.weight"),
            ),
            generator=self.generator.fitted_to(generator),
        )


def published_common(published: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `FommConfig` besides the generator, from a published configuration."""
    params = published.get("model_params", published)
    common = params["common_params"]
    return {
        "num_kp": common["num_kp"],
        "num_channels": common.get("num_channels", 3),
        "estimate_jacobian": common.get("estimate_jacobian", False),
        "kp_detector": FommKeypointConfig(**params["kp_detector_params"]),
        "image_size": int(published.get("dataset_params", {}).get("frame_shape", [256])[0]),
    }


def submodule(state: State, name: str) -> dict[str, Tensor]:
    """The part of a state dict under `name.`, without it."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def _widths(state: State, blocks: str) -> list[int]:
    found: list[int] = []
    while (weight := state.get(f"{blocks}.{len(found)}.conv.weight")) is not None:
        found.append(len(weight))
    return found


def _cap(expansion: int, downs: list[int], cap: int) -> int:
    """A max_features that gives these widths: the one that the config has, if it does."""
    return cap if widths(expansion, cap, len(downs))[1:] == downs else max([expansion, *downs])


def _bottlenecks(state: State) -> int:
    return len({key.split(".")[1] for key in state if key.startswith("bottleneck.")})


def _hourglass(state: State, name: str, cap: int) -> dict[str, Any]:
    downs, ups = _widths(state, f"{name}.encoder.down_blocks"), _widths(state, f"{name}.decoder.up_blocks")
    if not downs or not ups:
        return {}
    return {"block_expansion": ups[-1], "max_features": _cap(ups[-1], downs, cap), "num_blocks": len(downs)}


def _scale(state: State, key: str) -> float:
    """Scale whose anti-alias kernel has the stored one's side, 8 sigma + 1; see `AntiAliasDown`."""
    return 1 / round((state[key].shape[-1] - 1) / 4 + 1) if key in state else 1.0
