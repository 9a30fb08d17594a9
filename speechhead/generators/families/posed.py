"""What families with a posed canonical face share: free-view rotation, and SPACEx's latents."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from speechhead.core.errors import ControlError
from speechhead.generators.nets.layers import adaptive_scale, exact, multiply

from .family import Family, Motion
from .head_pose import Convention, rotation_from_6d, rotation_to_6d


class PosedFamily(Family):
    """Keypoints are canonical ones, moved by the head's rotation and translation and by the expression.

    A motion holds 'canonical' [B, K, 3], 'rotation' [B, 3, 3], 'angles' [B, 3] in degrees, 'translation' [B, 3],
    'expression' [B, K, 3], with `has_scale` 'scale' [B, 1], and 'value' [B, K, 3], which `keypoints` makes of them.
    """

    convention: Convention
    has_scale = False

    @abstractmethod
    def keypoints(self, motion: Motion) -> Tensor:
        """Keypoints [B, K, 3] from the parts of a motion; the family's equation."""

    def posed(self, **parts: Tensor) -> Motion:
        """A motion from its parts; either of 'angles' and 'rotation' is enough."""
        parts = {name: exact(part) for name, part in parts.items()}
        if "rotation" not in parts:
            parts["rotation"] = self.convention.rotation(parts["angles"])
        if "angles" not in parts:
            parts["angles"] = self.convention.angles(parts["rotation"])
        return {**parts, "value": self.keypoints(parts)}

    def moved_to(self, motion: Motion, value: Tensor) -> Motion:
        """The motion with its keypoints at `value` [B, K, 3]: the expression brings them there, the pose stays."""
        missing = value - self.keypoints(motion)
        if self.has_scale:
            missing = missing / motion["scale"][..., None]
        return {**motion, "expression": motion["expression"] + missing, "value": value}

    def rotate(self, motion: Motion, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Motion:
        """Turn the head: free-view rotation (face-vid2vid, "face redirection": R_d is the user's).

        Parameters
        ----------
        motion : of `motion`, `transfer` or `from_latent`
        yaw, pitch, roll : degrees, added to the head's own; as everywhere in this library, yaw > 0 turns the face to
            the right of the image, pitch > 0 makes it look down, roll > 0 tilts it clockwise

        Returns
        -------
        The motion with the keypoints moved as far as the new rotation moves them, translation kept
        """
        angles = motion["angles"] + motion["angles"].new_tensor(self.convention.turn(yaw, pitch, roll))
        parts = {key: value for key, value in motion.items() if key not in ("value", "rotation")}
        parts["expression"] = self.turned_expression(motion, self.convention.rotation(angles))
        turned = self.posed(**{**parts, "angles": angles})
        # After a relative transfer the keypoints are not exactly those of the parts: move them, rather than replace.
        return {**turned, "value": motion["value"] + turned["value"] - self.keypoints(motion)}

    def turned_expression(self, motion: Motion, rotation: Tensor) -> Tensor:
        """The expression [B, K, 3] when the head has another rotation; in most models it does not turn with it."""
        return motion["expression"]

    def to_latent(self, motion: Motion) -> Tensor:
        """Expression, head pose and translation [B, 3 K + 9], with scale [B, 3 K + 10].

        What SPACE's Landmarks2Latents predicts (Gururani et al., 2023). The rotation is given by two of its rows, so
        that it has no jumps.
        """
        parts = [motion["expression"].flatten(1), rotation_to_6d(motion["rotation"]), motion["translation"]]
        return torch.cat([*parts, motion["scale"]] if self.has_scale else parts, dim=1)

    def from_latent(self, latent: Tensor, source: Motion) -> Motion:
        """The portrait's canonical keypoints in the expression and pose of `latent` [B, D]."""
        canonical = source["canonical"].expand(len(latent), -1, -1)
        count = canonical.shape[1]
        sizes = [3 * count, 6, 3] + ([1] if self.has_scale else [])
        expression, rows, translation, *scale = latent.split(sizes, dim=1)
        parts = {"scale": scale[0]} if scale else {}
        return self.posed(
            canonical=canonical,
            rotation=rotation_from_6d(rows),
            translation=translation,
            expression=expression.unflatten(1, (count, 3)),
            **parts,
        )


class FaceVid2VidMotion(PosedFamily):
    """face-vid2vid's own equation and transfer, which both of its published forms have."""

    def keypoints(self, motion: Motion) -> Tensor:
        """Equation 1, x = R x_c + t + delta, [B, K, 3]."""
        turned = multiply(motion["canonical"], motion["rotation"].transpose(1, 2))
        return turned + motion["translation"][:, None] + motion["expression"]

    def transfer(
        self,
        source: Motion,
        driver: Motion,
        first: Motion | None = None,
        adapt_scale: bool = True,
        **options: Any,
    ) -> Motion:
        """The portrait's canonical keypoints in the driver's pose and expression.

        With `first`, the keypoints move as far as the driver's have since then, all of them with the portrait's
        canonical keypoints; `adapt_scale` makes it more for larger faces (see `layers.adaptive_scale`).
        """
        refuse_unknown(options, self.name)
        driven = self._with_face_of(source, driver)
        if first is None:
            return driven
        start = self._with_face_of(source, first)
        turn = multiply(driven["rotation"], start["rotation"].transpose(1, 2))
        moved = self.posed(
            canonical=driven["canonical"],
            rotation=multiply(turn, source["rotation"]),
            translation=source["translation"] + driven["translation"] - start["translation"],
            expression=source["expression"] + driven["expression"] - start["expression"],
        )
        # The parts say where the head is; the keypoints are moved as published.
        return {**moved, "value": self.relative(source, driven, start, adapt_scale)}

    def relative(self, source: Motion, driven: Motion, start: Motion, adapt_scale: bool) -> Tensor:
        """x_s + (x_d - x_d,0) * scale, from 'value' of the three motions."""
        scale = adaptive_scale(source["value"], start["value"]) if adapt_scale else 1.0
        return source["value"] + (driven["value"] - start["value"]) * scale

    def _with_face_of(self, source: Motion, driver: Motion) -> Motion:
        canonical = source["canonical"].expand(len(driver["value"]), -1, -1)
        parts = {key: driver[key] for key in ("rotation", "angles", "translation", "expression")}
        return self.posed(canonical=canonical, **parts)


def refuse_unknown(options: Mapping[str, Any], name: str) -> None:
    """ControlError if a family was given options that it does not have."""
    if options:
        raise ControlError(f"option '{next(iter(options))}' is unknown to {name}. Leave it out.")
