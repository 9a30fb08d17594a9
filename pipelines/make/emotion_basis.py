"""Make speechhead/motion/emotions.npz: emotions as moves of landmarks, from ICT-FaceKit.

    python -m pipelines.make.emotion_basis ../shared/face3d

ICT-FaceKit light (MIT) holds an artist-made head with 57 FACS-like expression modes. A recipe per emotion adds modes
up (Ekman's action units for that emotion); the sum is read at the 68 landmark vertices, turned into the project's
normalised space by the same rigid alignment that landmarks of a photo go through, and stored in its unit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipelines.command import command
from speechhead.core.arrays import Array
from speechhead.core.controls import EMOTIONS
from speechhead.face.landmarks import BROWS, remove_pose
from speechhead.motion.emotion import BASIS

RECIPES: dict[str, dict[str, float]] = {
    "neutral": {},
    # AU6 cheek raiser, AU12 lip corner puller; brows relaxed, a little up. Only the lower lids rise, with the cheeks,
    # by a fifth of the opening: an upper lid that comes down looks tired, not glad.
    "happy": {"cheekSquint": 0.2, "cheekRaiser": 0.3, "mouthSmile": 0.8, "browOuterUp": 0.2},
    # AU1 inner brow raiser, AU4 brow lowerer, AU15 lip corner depressor, AU17 chin raiser; lids hang
    "sad": {"browInnerUp": 1.8, "browDown": 0.45, "mouthFrown": 1.3, "mouthShrugLower": 0.35, "eyeBlink": 0.28},
    # AU1+2 brows up, AU5 upper lid raiser, AU26 jaw drop
    "surprised": {"browInnerUp": 1.0, "browOuterUp": 0.9, "eyeWide": 1.4, "jawOpen": 0.16, "mouthFunnel": 0.1},
    # AU1+2+4 brows up and drawn together, AU5 upper lid raiser, AU20 lip stretcher, AU25+26 lips parted, jaw drop
    "afraid": {
        "browInnerUp": 1.8,
        "browOuterUp": 0.3,
        "browDown": 0.4,
        "eyeWide": 1.8,
        "mouthStretch": 1.0,
        "mouthLowerDown": 0.3,
        "jawOpen": 0.12,
    },
    # AU4 brow lowerer, whose inner ends go lowest, as a sneer draws them; AU5+7: tight lids, and eyes that stare from
    # under the brows, where those of disgust narrow; AU23/24 lips thin
    "angry": {
        "browDown": 2.0,
        "noseSneer:brows": 1.5,
        "browOuterUp": 0.35,
        "eyeSquint": 0.8,
        "eyeWide": 0.55,
        "noseSneer": 0.15,
        "mouthPress": 0.6,
        "mouthRollUpper": 0.25,
        "mouthRollLower": 0.25,
        "mouthFrown": 0.7,
        "jawForward": 0.1,
    },
    # AU9 nose wrinkler, AU10 upper lip raiser, AU4, AU6 and AU7, AU15+17 mouth corners down and chin up
    "disgusted": {
        "noseSneer": 1.0,
        "mouthUpperUp": 0.35,
        "browDown": 0.6,
        "eyeSquint": 0.2,
        "cheekRaiser": 0.4,
        "mouthFrown": 0.9,
        "mouthShrugLower": 0.4,
    },
}
"""Weight of each expression mode per emotion at intensity 1; a name without side means both sides."""

PARTS = {"brows": BROWS}
"""Landmarks of the parts that a mode may be limited to."""

REST_MODES = ("jawOpen", "mouthSmile", "mouthStretch", "mouthUpperUp", "mouthLowerDown", "mouthFunnel")
"""Modes that a portrait's mouth may show and that `rest_face` takes back."""


def landmark_modes(folder: Path) -> tuple[Array, dict[str, Array]]:
    """Neutral landmarks [70, 3] and the displacement [70, 3] of every mode, x right, y down, z away, model units."""
    kit = np.load(folder / "ict_facekit.npz")
    vertices = json.loads((folder / "ict_vertex_indices.json").read_text())["idx_to_landmark_verts"]
    away = np.array([1.0, -1.0, -1.0], np.float32)  # the kit has y up and z towards the viewer

    def irises(points: Array) -> Array:
        """68 points with the irises' displacement, which is none: the modes used here do not turn the eyes."""
        return np.concatenate([points * away, np.zeros((2, 3), np.float32)])

    neutral = irises(kit["neutral"][vertices])
    neutral[68], neutral[69] = neutral[36:42].mean(0), neutral[42:48].mean(0)
    modes = {
        str(name): irises(values[vertices].astype(np.float32) * scale)
        for name, values, scale in zip(
            kit["expression_names"], kit["expression_q"], kit["expression_scale"], strict=True
        )
    }
    return neutral, modes


def both_sides(modes: dict[str, Array], name: str) -> Array:
    """The mode `name`, or the sum of its left and right half; of `NAME:brows` what it does to the brows alone."""
    name, _, part = name.partition(":")
    whole = modes[name] if name in modes else modes[f"{name}_L"] + modes[f"{name}_R"]
    if not part:
        return whole
    alone = np.zeros_like(whole)
    alone[PARTS[part]] = whole[PARTS[part]]
    return alone


def build(folder: Path) -> tuple[Array, Array]:
    """Emotions [7, 70, 3] and rest modes [6, 70, 3] in the normalised space of `speechhead.face.landmarks`."""
    neutral, modes = landmark_modes(folder)
    _, poses = remove_pose(neutral[None])
    to_normalised = np.asarray(poses[0].rotation, np.float32) / np.float32(poses[0].scale)  # rows: x @ R = R^T x

    def total(recipe: dict[str, float]) -> Array:
        parts = [weight * both_sides(modes, name) for name, weight in recipe.items()]
        return sum(parts, np.zeros((70, 3), np.float32)) @ to_normalised

    emotions = np.stack([total(RECIPES[name]) for name in EMOTIONS])
    rest_modes = np.stack([total({name: 1.0}) for name in REST_MODES])
    return emotions.astype(np.float32), rest_modes.astype(np.float32)


def main(
    face3d: Annotated[Path, typer.Argument(help="Folder with ict_facekit.npz and ict_vertex_indices.json.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")] = BASIS,
) -> None:
    """Write the displacements of every emotion."""
    emotions, rest_modes = build(face3d)
    np.savez_compressed(output, emotions=emotions, rest_modes=rest_modes)
    print(output)


app = command(main)


if __name__ == "__main__":
    app()
