"""What the families share: grids, keypoint heat maps, warps, and convolution blocks, each for pictures and volumes.

Conventions of all families. A picture is [B, C, H, W], a volume [B, C, D, H, W]; `shape` below is (H, W) or (D, H, W).
Positions are (x, y) or (x, y, z) in the last axis, x right, y down, z inwards, with -1 and 1 at the centres of the
first and the last cell. Volumes are halved and doubled in H and W only. The attribute names of the blocks are those of
the published state dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechhead.core.errors import DeviceError

Activation = Callable[[Tensor], Tensor]

KEYPOINT_VARIANCE = 0.01
"""Variance of the Gaussian that stands for a keypoint; FOMM supplementary A.1."""

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOL: dict[int, Activation] = {2: lambda x: F.avg_pool2d(x, 2), 3: lambda x: F.avg_pool3d(x, (1, 2, 2))}
_LINEAR = {2: "bilinear", 3: "trilinear"}


def conv(dims: int, inputs: int, outputs: int, kernel: int, padding: int | None = None) -> nn.Module:
    """A convolution over pictures (dims 2) or volumes (3); it keeps the size unless a padding is given."""
    return _CONV[dims](inputs, outputs, kernel, padding=kernel // 2 if padding is None else padding)


def batch_norm(dims: int, features: int) -> nn.Module:
    """Batch normalisation with affine parameters."""
    return _NORM[dims](features)


def widths(block_expansion: int, max_features: int, count: int) -> list[int]:
    """Channels before and after `count` halvings: doubled each time, up to `max_features` (the first is not capped)."""
    return [block_expansion] + [min(max_features, block_expansion * 2 ** (i + 1)) for i in range(count)]


def coordinate_grid(shape: Sequence[int], like: Tensor | None = None) -> Tensor:
    """Positions of the cells, float [*shape, n]; x (then y, z) in the last axis, of `like`'s type and device."""
    options = {} if like is None else {"dtype": like.dtype, "device": like.device}
    axes = [2 * torch.arange(n, **options) / max(n - 1, 1) - 1 for n in shape]  # type: ignore[call-overload]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)


def gaussian(keypoints: Tensor, shape: Sequence[int], variance: float = KEYPOINT_VARIANCE) -> Tensor:
    """Heat maps of keypoints, exp(-|z - p|^2 / (2 variance)); FOMM eq. 6's Gaussians, face-vid2vid likewise.

    Parameters
    ----------
    keypoints : [..., n] in [-1, 1]; n = len(shape)

    Returns
    -------
    [..., *shape], 1 at the keypoint
    """
    grid = coordinate_grid(shape, keypoints)
    offsets = grid - keypoints.unflatten(-1, (1,) * len(shape) + (-1,))
    return torch.exp(-0.5 * offsets.square().sum(-1) / variance)


def soft_argmax(logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Keypoints as the expected position under a softmax of `logits` [B, K, *shape] over all cells.

    Returns
    -------
    positions [B, K, n] in [-1, 1], and the probabilities [B, K, *shape], which sum to 1
    """
    shape = logits.shape[2:]
    probabilities = F.softmax(exact(logits).flatten(2) / temperature, dim=2)
    grid = coordinate_grid(shape, probabilities).reshape(-1, len(shape))
    positions = (probabilities[..., None] * grid).sum(2)  # no matrix product: autocast would round it to half precision
    return positions, probabilities.unflatten(2, shape)


def resize(x: Tensor, shape: Sequence[int]) -> Tensor:
    """`x` [B, C, ...] at another size, linearly; cell borders stay where they are (align_corners=False)."""
    if tuple(x.shape[2:]) == tuple(shape):
        return x
    return F.interpolate(x, size=tuple(shape), mode=_LINEAR[x.dim() - 2], align_corners=False)


def warp(x: Tensor, deformation: Tensor, align_corners: bool = False) -> Tensor:
    """Read `x` [B, C, *shape] where `deformation` [B, *any, n] says; zero outside.

    A deformation of another size than `x` is resized first. Positions are on the grid whose ends are cell centres;
    reading them with align_corners=False, as everyone has since torch 1.3, shrinks the picture by (n - 1) / n about
    its centre, and the published networks have been run so ever since. True is what torch up to 1.2 did, with which
    FOMM and DaGAN were trained.
    """
    if deformation.shape[1:-1] != x.shape[2:]:
        last = deformation.dim() - 1  # axes counted from the front: ONNX knows no others
        deformation = resize(deformation.movedim(last, 1), x.shape[2:]).movedim(1, last)
    return F.grid_sample(x, deformation, padding_mode="zeros", align_corners=align_corners)


def inverse_2x2(matrices: Tensor) -> Tensor:
    """Inverse of matrices [..., 2, 2], by cofactors: exact enough here, and it exports to ONNX."""
    (a, b), (c, d) = (row.unbind(-1) for row in matrices.unbind(-2))
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / (a * d - b * c)[..., None, None]


def exact(x: Tensor) -> Tensor:
    """At least float32: half precision would move keypoints by a pixel."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Product of small matrices [..., n, n], kept in full precision under autocast."""
    return (a[..., None] * b[..., None, :, :]).sum(-2)


def sparse_motions(source: Tensor, driving: Tensor, shape: Sequence[int], linear: Tensor | None = None) -> Tensor:
    """Where each keypoint's motion alone would read the source from: FOMM eq. 4.

    T_k(z) = source_k + J_k (z - driving_k), the first-order Taylor expansion of the motion about the keypoint. In front
    of the K motions stands the background's, the identity.

    Parameters
    ----------
    source, driving : keypoints [B, K, n]
    linear : J_k [B, K, n, n], FOMM eq. 5; None is the identity, as in face-vid2vid

    Returns
    -------
    [B, K + 1, *shape, n]
    """
    grid = coordinate_grid(shape, driving)
    ones = (1,) * len(shape)
    offsets = grid - driving.unflatten(-1, (*ones, -1))
    if linear is not None:
        offsets = (linear.unflatten(-2, (*ones, -1)) * offsets[..., None, :]).sum(-1)
    motions = offsets + source.unflatten(-1, (*ones, -1))
    background = grid.expand(len(motions), 1, *grid.shape)
    return torch.cat([background, motions], dim=1)


def heatmap_differences(
    source: Tensor, driving: Tensor, shape: Sequence[int], variance: float = KEYPOINT_VARIANCE
) -> Tensor:
    """Where each motion takes place: Gaussian(driving) - Gaussian(source), FOMM eq. 6; zero for the background.

    [B, K, n] keypoints to [B, K + 1, *shape].
    """
    maps = gaussian(driving, shape, variance) - gaussian(source, shape, variance)
    return torch.cat([torch.zeros_like(maps[:, :1]), maps], dim=1)


def warp_each(x: Tensor, motions: Tensor, align_corners: bool = False) -> Tensor:
    """`x` [B, C, *shape] warped by each of M motions [B, M, *shape, n]: [B, M, C, *shape]."""
    count = motions.shape[1]
    copies = x[:, None].expand(-1, count, *x.shape[1:]).flatten(0, 1)
    return warp(copies, motions.flatten(0, 1), align_corners).unflatten(0, (-1, count))


def combine_motions(mask: Tensor, motions: Tensor) -> Tensor:
    """Dense motion, FOMM eq. 7: sum_k M_k(z) T_k(z); mask [B, M, *shape], motions [B, M, *shape, n]."""
    return (mask[..., None] * motions).sum(dim=1)


def adaptive_scale(source: Tensor, first: Tensor) -> Tensor:
    """How much larger the portrait's keypoints spread than those of the driver's first frame, [B, 1, 1].

    Square root of the ratio of the convex hulls' areas (volumes for 3-D keypoints, the root all the same); 1 where a
    hull is flat. Relative motion of FOMM is scaled by it, so that a small face does not move like a large one.

    Parameters
    ----------
    source, first : keypoints [B, K, n]; a batch of one is spread over the other's

    Raises
    ------
    DeviceError without scipy.
    """
    try:
        from scipy.spatial import ConvexHull, QhullError
    except ImportError as error:
        raise DeviceError("relative motion needs scipy, which is not installed. pip install scipy.") from error

    def extents(keypoints: Tensor) -> Tensor:
        sizes = []
        for points in keypoints.detach().double().cpu().numpy():
            try:
                sizes.append(ConvexHull(points).volume)
            except (QhullError, ValueError):
                sizes.append(float("nan"))
        return torch.tensor(sizes, dtype=torch.float64)

    ratio = (extents(source).sqrt() / extents(first).sqrt()).nan_to_num(1.0, 1.0, 1.0)
    return ratio[:, None, None].to(source)


SMALLEST_SCALE = 1 / 64
"""Of what a network sees of its picture: 4 by 4 pixels of 256."""


class AntiAliasDown(nn.Module):
    """Gaussian blur, then every (1/scale)-th pixel from the first; sigma = (1/scale - 1) / 2.

    The kernel is in the state dict as `weight` if `stored`; with scale 1 there is none and the picture passes through.
    """

    def __init__(self, channels: int, scale: float, stored: bool = True) -> None:
        super().__init__()
        if not SMALLEST_SCALE <= scale <= 1:
            raise ValueError(f"scale {scale:g} is not within {SMALLEST_SCALE:g} to 1")
        self.step = int(1 / scale)
        if scale == 1:
            return
        sigma = (1 / scale - 1) / 2
        radius = round(4 * sigma)
        offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
        line = torch.exp(-(offsets**2) / (2 * sigma**2))
        kernel = line[:, None] * line[None, :]
        self.register_buffer("weight", (kernel / kernel.sum()).repeat(channels, 1, 1, 1), persistent=stored)

    def forward(self, x: Tensor) -> Tensor:
        if self.step == 1:
            return x
        kernel = self.get_buffer("weight")
        return F.conv2d(x, kernel, stride=self.step, padding=kernel.shape[-1] // 2, groups=x.shape[1])


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU (or another activation), at the same size."""

    def __init__(self, dims: int, inputs: int, outputs: int, kernel: int = 3, activation: Activation = F.relu) -> None:
        super().__init__()
        self.conv = conv(dims, inputs, outputs, kernel)
        self.norm = batch_norm(dims, outputs)
        self.dims, self.activation = dims, activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))


class DownBlock(ConvBlock):
    """A ConvBlock, then the mean of 2x2 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return _POOL[self.dims](super().forward(x))


class UpBlock(ConvBlock):
    """Every pixel doubled in H and W, then a ConvBlock."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=(1.0,) * (self.dims - 2) + (2.0, 2.0), mode="nearest"))


class ResBlock(nn.Module):
    """x + two times (batch norm, ReLU, convolution); He et al., "Identity mappings in deep residual networks"."""

    def __init__(self, dims: int, features: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv1 = conv(dims, features, features, kernel)
        self.conv2 = conv(dims, features, features, kernel)
        self.norm1 = batch_norm(dims, features)
        self.norm2 = batch_norm(dims, features)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))


class _HourglassEncoder(nn.Module):
    def __init__(self, dims: int, inputs: int, channels: list[int]) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(
            DownBlock(dims, a, b) for a, b in zip([inputs, *channels[1:-1]], channels[1:], strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = [x]
        for block in self.down_blocks:
            levels.append(block(levels[-1]))
        return levels


class _HourglassDecoder(nn.Module):
    def __init__(self, dims: int, inputs: int, channels: list[int], last_conv: bool) -> None:
        super().__init__()
        last = len(channels) - 1
        self.up_blocks = nn.ModuleList(
            UpBlock(dims, channels[i] * (1 if i == last else 2), channels[i - 1]) for i in range(last, 0, -1)
        )
        self.outputs = channels[0] + inputs
        self.last_conv = last_conv
        if last_conv:
            self.conv = conv(dims, self.outputs, self.outputs, 3)
            self.norm = batch_norm(dims, self.outputs)

    def forward(self, levels: list[Tensor]) -> Tensor:
        *skips, x = levels
        for block, skip in zip(self.up_blocks, reversed(skips), strict=True):
            x = torch.cat([block(x), skip], dim=1)  # the last skip is the hourglass's own input
        return F.relu(self.norm(self.conv(x))) if self.last_conv else x


class Hourglass(nn.Module):
    """U-Net of FOMM's and face-vid2vid's motion networks: [B, inputs, ...] to [B, outputs, ...] of the same size.

    `outputs` is block_expansion + inputs, for the input itself is the last skip connection. H and W must be multiples
    of 2 ** num_blocks. `last_conv` adds the convolution block that face-vid2vid's 3-D hourglass ends with.
    """

    def __init__(
        self,
        dims: int,
        block_expansion: int,
        inputs: int,
        num_blocks: int,
        max_features: int,
        last_conv: bool = False,
    ) -> None:
        super().__init__()
        channels = widths(block_expansion, max_features, num_blocks)
        self.encoder = _HourglassEncoder(dims, inputs, channels)
        self.decoder = _HourglassDecoder(dims, inputs, channels, last_conv)
        self.outputs = self.decoder.outputs

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))
