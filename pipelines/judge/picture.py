"""Picture metrics: how close rendered frames are to the true ones, how sharp, and how calm."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array

Frames = NDArray[np.uint8]

Box = tuple[int, int, int, int]


def l1(frames: Frames, truth: Frames) -> float:
    """Mean absolute difference of two videos [T, H, W, 3], in grey levels (0..255)."""
    return float(np.mean([np.abs(a.astype(np.int16) - b).mean() for a, b in zip(frames, truth)]))


def psnr(frames: Frames, truth: Frames) -> float:
    """Peak signal-to-noise ratio in dB, the mean over frames [T, H, W, 3]; a perfect frame counts as 100 dB."""
    values = []
    for a, b in zip(frames, truth):
        error = float(np.square(a.astype(np.float32) - b).mean())
        values.append(min(100.0, 10 * np.log10(255**2 / max(error, 1e-12))))
    return float(np.mean(values))


def ssim(frames: Frames, truth: Frames) -> float:
    """Structural similarity of the luma (Wang et al., 2004: Gaussian window 11, sigma 1.5), mean over frames."""
    return float(np.mean([_ssim_image(a, b) for a, b in zip(frames, truth)]))


def _ssim_image(a: Frames, b: Frames) -> float:
    x, y = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (a, b))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def mean(image: Array) -> Array:
        return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5), np.float32)

    mx, my = mean(x), mean(y)
    vx, vy, covariance = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    value = (2 * mx * my + c1) * (2 * covariance + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(value[5:-5, 5:-5].mean())


def mouth_box(lips: Array, height: int, width: int, margin: float = 0.25) -> Box:
    """Box (x0, y0, x1, y1) in pixels around lip points [N, 2 or more], wider by `margin` of its size all round."""
    low, high = lips[:, :2].min(0), lips[:, :2].max(0)
    pad = (high - low) * margin
    x0, y0 = np.floor(np.maximum(low - pad, 0)).astype(int)
    x1, y1 = np.ceil(high + pad).astype(int) + 1
    return int(x0), int(y0), int(min(x1, width)), int(min(y1, height))


def sharpness(image: Frames, box: Box) -> float:
    """Variance of the Laplacian of the luma inside a box."""
    x0, y0, x1, y1 = box
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[y0:y1, x0:x1]
    return float(cv2.Laplacian(grey, cv2.CV_32F).var()) if grey.size else 0.0


def sharpness_ratio(frames: Frames, truth: Frames, boxes: list[Box]) -> float:
    """Sharpness inside the boxes of all frames, rendered against true; 1 is as sharp as the truth."""
    ours = sum(sharpness(image, box) for image, box in zip(frames, boxes))
    return ours / max(sum(sharpness(image, box) for image, box in zip(truth, boxes)), 1e-9)


def flicker(frames: Frames) -> float:
    """Mean absolute second difference over time of a video [T, H, W, 3], in grey levels; 0 if shorter than 3 frames."""
    if len(frames) < 3:
        return 0.0
    values = []
    before, now = frames[0].astype(np.int16), frames[1].astype(np.int16)
    for image in frames[2:]:
        after = image.astype(np.int16)
        values.append(np.abs(after - 2 * now + before).mean())
        before, now = now, after
    return float(np.mean(values))


def flicker_ratio(frames: Frames, truth: Frames) -> float:
    """Flicker, rendered against true; above 1 the rendered video trembles more than the recorded one."""
    return flicker(frames) / max(flicker(truth), 1e-6)
