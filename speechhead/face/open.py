"""A face tracker by the name of what finds its landmarks."""

from __future__ import annotations

from speechhead.core.options import check_landmarks

from .face_alignment_backend import FaceAlignmentMesh
from .tracker import FaceTracker


def open_tracker(
    landmarks: str = "mesh", device: str = "auto", smooth: bool = False, threads: int | None = None
) -> FaceTracker:
    """'mesh', the shipped network, or 'face-alignment'; on a device, of which the mesh network knows the CPU alone.

    Raises
    ------
    ControlError for another name; FaceError as in `FaceAlignmentMesh`.
    """
    check_landmarks(landmarks)
    if landmarks == "mesh":
        return FaceTracker(smooth, threads)
    return FaceTracker(smooth, threads, FaceAlignmentMesh(_device(device)))


def _device(device: str) -> str:
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
