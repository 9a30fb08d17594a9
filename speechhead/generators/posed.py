"""What families with a posed canonical face share: free-view rotation, and SPACEx's latents."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

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
        if "rotation" not in parts:
            parts["rotation"] = self.convention.rotation(parts["angles"])
        if "angles" not in parts:
            parts["angles"] = self.convention.angles(parts["rotation"])
        return {**parts, "value": self.keypoints(parts)}

    def rotate(self, motion: Motion, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Motion:
        """Turn the head: free-view rotation (face-vid2vid, section 4.3, R_d <- R_u R_d with the user's angles added).

        Parameters
        ----------
        motion : of `motion`, `transfer` or `from_latent`
        yaw, pitch, roll : degrees, added to the head's own

        Returns
        -------
        The motion with the keypoints moved as far as the new rotation moves them, expression and translation kept
        """
        turn = motion["angles"].new_tensor([yaw, pitch, roll])
        parts = {key: value for key, value in motion.items() if key not in ("value", "angles", "rotation")}
        turned = self.posed(**parts, angles=motion["angles"] + turn)
        # After a relative transfer the keypoints are not exactly those of the parts: move them, rather than replace.
        return {**turned, "value": motion["value"] + turned["value"] - self.keypoints(motion)}

    def to_latent(self, motion: Motion) -> Tensor:
        """Expression, head pose and translation [B, 3 K + 9], with scale [B, 3 K + 10]; SPACE, section 3.3.

        The rotation is given by two of its rows, so that it has no jumps.
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
