"""LivePortrait's stitching, eye and lip retargeting, and how a driver moves a portrait (Guo et al., 2024)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from speechhead.core.errors import ControlError
from speechhead.generators.nets.layers import adaptive_scale, multiply

from .family import Motion
from .retargeting_options import RetargetingOptions

LIP_KEYPOINTS = (6, 12, 14, 17, 19, 20)
EYE_KEYPOINTS = (11, 13, 15, 16, 18)

_ABSOLUTE_AXES: dict[int, tuple[int, ...]] = {
    **dict.fromkeys((1, 2, 6, *range(11, 21)), (0, 1, 2)),
    **{3: (1,), 4: (1,), 5: (2,), 8: (2,), 9: (1, 2)},
}
"""Entries of the expression that an absolute driver replaces, by keypoint: the others hold the shape of the face."""

OPEN_LIPS = 0.03
"""Lip ratio of the portrait from which its lips are closed before the driver moves them."""


@dataclass(frozen=True)
class RetargetingConfig:
    """Published `stitching_retargeting_module_params`: (input, hidden ..., output) widths of the three networks."""

    stitching: tuple[int, ...] = (126, 128, 128, 64, 65)
    lip: tuple[int, ...] = (65, 128, 128, 64, 63)
    eye: tuple[int, ...] = (66, 256, 256, 128, 128, 64, 63)

    @classmethod
    def from_published(cls, params: Mapping[str, Mapping[str, Any]]) -> RetargetingConfig:
        return cls(
            **{
                name: (part["input_size"], *part["hidden_sizes"], part["output_size"])
                for name, part in params.items()
                if name in ("stitching", "lip", "eye")
            }
        )


@dataclass(frozen=True)
class Openings:
    """How far eyes and lips are open, from landmarks: eyes [B, 2] (left, right of the image), lips [B, 1]."""

    eyes: Tensor
    lips: Tensor

    @classmethod
    def from_landmarks203(cls, landmarks: Tensor) -> Openings:
        """From LivePortrait's own 203 landmarks [B, 203, 2]."""
        left, right = _ratio(landmarks, 6, 18, 0, 12), _ratio(landmarks, 30, 42, 24, 36)
        return cls(torch.stack([left, right], dim=1), _ratio(landmarks, 90, 102, 48, 66)[:, None])

    @classmethod
    def from_landmarks70(cls, landmarks: Tensor) -> Openings:
        """From this library's landmarks [B, 70, 2 or 3], the same distances between the nearest of them."""
        points = landmarks[..., :2]
        lids = [points[:, [i, j]].mean(1) for i, j in ((37, 38), (40, 41), (43, 44), (46, 47))]
        points = torch.cat([points, torch.stack(lids, dim=1)], dim=1)
        last = landmarks.shape[1]
        left, right = _ratio(points, last, last + 1, 36, 39), _ratio(points, last + 2, last + 3, 42, 45)
        return cls(torch.stack([left, right], dim=1), _ratio(points, 62, 66, 48, 54)[:, None])


def _ratio(points: Tensor, top: int, bottom: int, start: int, end: int) -> Tensor:
    height = (points[:, top] - points[:, bottom]).norm(dim=-1)
    return height / ((points[:, start] - points[:, end]).norm(dim=-1) + 1e-6)


class Mlp(nn.Module):
    """Linear layers with ReLU between them; the last begins at zero, so that untrained it changes nothing."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.mlp = nn.Sequential()
        for before, after in zip(sizes, sizes[1:]):
            if len(self.mlp):
                self.mlp.append(nn.ReLU())
            last = nn.Linear(before, after)
            self.mlp.append(last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Of inputs [B, ...], flattened and joined; a batch of one is repeated for the others'."""
        count = max(len(part) for part in inputs)
        return self.mlp(torch.cat([part.flatten(1).expand(count, -1) for part in inputs], dim=1))


class Retargeting(nn.Module):
    """The three small networks beside the generator (section 3.3)."""

    def __init__(self, config: RetargetingConfig) -> None:
        super().__init__()
        self.retarget_shoulder = Mlp(config.stitching)
        self.retarget_mouth = Mlp(config.lip)
        self.retarget_eye = Mlp(config.eye)

    def stitch_delta(self, source: Tensor, driving: Tensor) -> Tensor:
        """S(x_s, x_d): 3 K keypoint offsets, then the offset of all of them in x and y; [B, 3 K + 2]."""
        return self.retarget_shoulder(source, driving)

    def stitch(self, source: Tensor, driving: Tensor) -> Tensor:
        """x_d,st = x_d + Delta_st, section 3.3. Keypoints [B, K, 3]."""
        delta = self.stitch_delta(source, driving)
        offsets, shift = delta[:, :-2].unflatten(1, driving.shape[1:]), delta[:, -2:]
        return driving + offsets + nn.functional.pad(shift, (0, 1))[:, None]

    def eye_delta(self, source: Tensor, ratios: Tensor) -> Tensor:
        """R_eyes(x_s; c_s,eyes, c_d,eyes), [B, K, 3]; ratios [B, 3]: the source's left and right, and the target's."""
        return self.retarget_eye(source, ratios).unflatten(1, source.shape[1:])

    def lip_delta(self, source: Tensor, ratios: Tensor) -> Tensor:
        """R_lip(x_s; c_s,lip, c_d,lip), [B, K, 3]; ratios [B, 2]: the source's and the target's."""
        return self.retarget_mouth(source, ratios).unflatten(1, source.shape[1:])


def drive(
    networks: Retargeting | None,
    keypoints: Callable[[Motion], Tensor],
    source: Motion,
    driver: Motion,
    first: Motion | None,
    options: RetargetingOptions,
    source_open: Openings | None = None,
    driver_open: Openings | None = None,
) -> tuple[Motion, Tensor]:
    """Driving keypoints of a portrait (section 3.4 and the published pipeline's options).

    Parameters
    ----------
    networks : None where the weights lack them: nothing is stitched and no lips are closed
    keypoints : the family's equation, x = s (x_c R + delta) + t
    source : of the portrait, a batch of one; driver : B frames; first : the frame that relative motion starts from
    source_open, driver_open : for retargeting; the portrait's lips are closed first only where `source_open` is given

    Returns
    -------
    The parts of the motion, and the keypoints [B, K, 3]

    Raises
    ------
    ControlError if relative motion has no first frame, or retargeting no networks or no openings.
    """
    if options.relative and first is None:
        raise ControlError("relative driving needs the driver's first frame. Give it, or set relative=False.")
    parts = motion_parts(source, driver, first, options)
    value = keypoints(parts)
    at_rest = source["value"]
    if options.relative and options.expression_friendly and first is not None:
        # x_d <- x_s + (x_d - x_d,0) * sqrt(volume(x_s) / volume(x_d,0))
        start = keypoints(motion_parts(source, first, first, options))
        value = at_rest + (value - start) * adaptive_scale(at_rest, start)
    value = _retarget(networks, at_rest, value, options, source_open, driver_open)
    return parts, at_rest + (value - at_rest) * options.multiplier


def motion_parts(source: Motion, driver: Motion, first: Motion | None, options: RetargetingOptions) -> Motion:
    """Rotation, expression, scale and translation of the portrait as `options` say (section 3.4).

    Relative: R = (R_d R_0^T) R_s, delta = delta_s + delta_d - delta_0, s = s_s s_d / s_0, t = t_s + t_d - t_0.
    Rotations are those of row vectors. Absolute: the driver's R, t, and what of delta is not the shape of its face.
    """
    head, face = options.region in ("all", "pose"), options.region != "pose"
    rotation, translation, scale = (source[key] for key in ("rotation", "translation", "scale"))
    expression, wanted = source["expression"], driver["expression"]
    if options.relative and first is not None:
        if head:
            since = multiply(driver["rotation"], first["rotation"].transpose(1, 2))
            rotation = multiply(since, rotation)
            translation = translation + driver["translation"] - first["translation"]
        if options.region == "all":
            scale = scale * driver["scale"] / first["scale"]
        wanted = expression + wanted - first["expression"]
    elif head:
        rotation, translation = driver["rotation"], driver["translation"]
    if face:
        expression = torch.where(_driven_entries(options, expression), wanted, expression)
    count = len(driver["expression"])
    parts = {"rotation": rotation, "translation": translation, "scale": scale, "expression": expression}
    parts["canonical"] = source["canonical"]
    return {key: part.expand(count, *part.shape[1:]) for key, part in parts.items()}


def _driven_entries(options: RetargetingOptions, like: Tensor) -> Tensor:
    """Which entries of the expression the driver sets, bool [K, 3]."""
    every = (0, 1, 2)
    axes: Mapping[int, tuple[int, ...]] = dict.fromkeys(range(like.shape[1]), every)
    if options.region == "lip":
        axes = dict.fromkeys(LIP_KEYPOINTS, every)
    elif options.region == "eyes":
        axes = dict.fromkeys(EYE_KEYPOINTS, every)
    elif not options.relative:
        axes = _ABSOLUTE_AXES
    driven = torch.zeros(like.shape[1:], dtype=torch.bool)
    for index, chosen in axes.items():
        if index < len(driven):
            driven[index, list(chosen)] = True
    return driven.to(like.device)


def _retarget(
    networks: Retargeting | None,
    source: Tensor,
    driving: Tensor,
    options: RetargetingOptions,
    source_open: Openings | None,
    driver_open: Openings | None,
) -> Tensor:
    """Eyes, lips and shoulders, in the order of the algorithm of section 3.4."""
    if networks is None:
        if options.eye_retargeting or options.lip_retargeting:
            raise ControlError(
                "eye and lip retargeting need networks that these weights lack. Import them anew, with"
                " stitching_retargeting_module.pth, or leave retargeting out."
            )
        return driving
    if options.eye_retargeting or options.lip_retargeting:
        # Relative motion would be added to what the ratios ask for: the portrait itself is retargeted instead.
        value = source.expand_as(driving) if options.relative else driving
        if source_open is None or driver_open is None:
            raise ControlError(
                "retargeting of eyes or lips needs both faces' openings. Give source_open and driver_open."
            )
        count = len(driving)
        if options.eye_retargeting:
            target = driver_open.eyes[:, :1].expand(count, -1)
            ratios = torch.cat([source_open.eyes.expand(count, -1), target], dim=1)
            value = value + networks.eye_delta(source, ratios)
        if options.lip_retargeting:
            ratios = torch.cat([source_open.lips.expand(count, -1), driver_open.lips.expand(count, -1)], dim=1)
            value = value + networks.lip_delta(source, ratios)
        return networks.stitch(source, value) if options.stitching else value
    value = networks.stitch(source, driving) if options.stitching else driving
    if options.normalise_lip and options.relative and source_open is not None and source_open.lips.item() >= OPEN_LIPS:
        closed = torch.cat([source_open.lips, torch.zeros_like(source_open.lips)], dim=1)
        value = value + networks.lip_delta(source, closed)
    return value
