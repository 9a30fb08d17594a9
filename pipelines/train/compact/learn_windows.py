"""The window networks' lessons: pixels of mouth and eyes, sharp, where the landmarks want them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from speechhead.generators.compact.device.networks import WindowPainter
from speechhead.generators.compact.windows import WINDOWS

from .learner import CompactTraining, Learner, tiles
from .losses import (
    FeatureLoss,
    LandmarkLoss,
    discriminator_loss,
    feature_matching,
    focus_of,
    generator_loss,
    judged_where,
    texture_loss,
    weighted_l1,
)
from .networks import CompactNetworks, Discriminator, patch_of


@dataclass
class Windows:
    """What one pass gives, by window: the finished patch, and what was added to the warped portrait."""

    patches: dict[str, Tensor]
    changes: dict[str, Tensor]


def forward(model: CompactNetworks, batch: dict[str, Tensor], names: Iterable[str] = WINDOWS) -> Windows:
    """One pass over a batch; the same composition as `speechhead.generators.compact.generator` does at run time."""
    out = Windows({}, {})
    for name in names:
        portrait = batch[f"{name}_source"], batch[f"{name}_source_shapes"]
        features = model.encoders[name](*portrait)
        warped, edge = batch[f"{name}_warped"], batch[f"{name}_edge"]
        driving = batch[f"{name}_shapes"], batch[f"{name}_motion"]
        network = cast(WindowPainter, model.windows[name])
        change, cover = patch_of(network, [warped, *driving, *portrait, *features])
        out.patches[name] = (1 - cover * edge) * warped + change * edge
        out.changes[name] = change * (1 - cover)
    return out


class WindowsLearner(Learner):
    """The mouth learns at every step, the eyes at every second."""

    def __init__(self, model: CompactNetworks, options: CompactTraining) -> None:
        super().__init__()
        self.model, self.options = model, options
        self.judges = torch.nn.ModuleDict({name: Discriminator() for name in WINDOWS})
        self.judges.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.features = FeatureLoss()
        self.landmarks = LandmarkLoss() if options.landmarks else None
        self.learning = [*model.encoders.parameters(), *model.windows.parameters()]
        makers = torch.optim.Adam(self.learning, options.learning_rate, betas=(0.5, 0.99))
        critics = torch.optim.Adam(self.judges.parameters(), options.learning_rate, betas=(0.5, 0.99))
        self.networks = {"judges": self.judges}
        self.optimisers = {"makers": (makers, 1.0), "critics": (critics, options.critic_rate)}

    def learn(self, batch: dict[str, Tensor], step: int) -> dict[str, float]:
        """One step of both sides."""
        options = self.options
        log: dict[str, float] = {}
        names = list(WINDOWS) if step % 2 else ["mouth"]
        out = forward(self.model, batch, names)
        loss, judged = torch.zeros(()), {}
        for name in names:
            made, real, shapes = out.patches[name], batch[f"{name}_target"], batch[f"{name}_shapes"]
            source, judged_at = batch[f"{name}_source"], batch[f"{name}_judged"]
            drawn = shapes.amax(1, keepdim=True)
            care = (1 + 3 * F.max_pool2d(drawn, 5, 1, 2) + 10 * shapes[:, :1]) * judged_at
            l1 = weighted_l1(made, real, care)
            # Elsewhere the truth stands: what others draw there, as the teeth, is not the networks' to make up for.
            seen = self.features(judged_at * made + (1 - judged_at) * real, real)
            # What fades out at the border must not shout to be heard there.
            change = (out.changes[name].abs() * (1 + 20 * (1 - batch[f"{name}_edge"]))).mean()
            detail = texture_loss(made, real, care)
            loss = loss + options.l1 * l1 + options.features * seen + options.texture * detail
            loss = loss + options.change_cost * change
            log |= {f"{name}_l1": l1.item(), f"{name}_warp": weighted_l1(batch[f"{name}_warped"], real, care).item()}
            log |= {f"{name}_seen": seen.item(), f"{name}_detail": detail.item()}
            focus, places = focus_of(shapes) * judged_at, drawn * judged_at
            shown = focus * made + (1 - focus) * real
            if step >= options.adversarial_after:
                self.judges[name].requires_grad_(False)
                score, found = self.judges[name](shown, shapes, source)
                with torch.no_grad():
                    truth, wanted = self.judges[name](real, shapes, source)
                loss = loss + options.adversarial * (
                    generator_loss(truth, score, judged_where(places, score))
                    + options.matching * feature_matching(found, wanted)
                )
                self.judges[name].requires_grad_(True)
            judged[name] = (shown.detach(), real, shapes, source, places)
        if self.landmarks is not None:
            some = slice(options.landmarks_of)
            patches = {
                name: (out.patches[name][some], batch[f"{name}_edge"][some], batch[f"{name}_seen"][some])
                for name in names
            }
            distance = self.landmarks(batch["face"][some], patches)
            loss = loss + options.landmarks * distance
            log["landmarks"] = distance.item()
        makers, critics = self.optimisers["makers"][0], self.optimisers["critics"][0]
        makers.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learning, 2.0)
        makers.step()
        cost = torch.zeros(())
        for name, (made, real, shapes, source, places) in judged.items():
            score = self.judges[name](real, shapes, source)[0]
            doubt = discriminator_loss(score, self.judges[name](made, shapes, source)[0], judged_where(places, score))
            cost = cost + doubt
            log[f"{name}_doubt"] = doubt.item()
        critics.zero_grad()
        cost.backward()
        critics.step()
        return log

    def judge(self, model: CompactNetworks, batch: dict[str, Tensor]) -> dict[str, float]:
        """Per window: L1 near lips or lids, the same of the warp, and detail over the truth's; landmarks in pixels."""
        out, found = forward(model, batch), {}
        for name in WINDOWS:
            real, shapes = batch[f"{name}_target"], batch[f"{name}_shapes"]
            near = F.max_pool2d(shapes.amax(1, keepdim=True), 5, 1, 2) * batch[f"{name}_judged"]
            found[f"{name}_l1"] = weighted_l1(out.patches[name], real, near).item()
            found[f"{name}_warp"] = weighted_l1(batch[f"{name}_warped"], real, near).item()
            fine = [((x - F.avg_pool2d(x, 3, 1, 1)).pow(2) * near).mean() for x in (out.patches[name], real)]
            found[f"{name}_detail_ratio"] = (fine[0] / fine[1]).item()
        if self.landmarks is not None:
            patches = {name: (out.patches[name], batch[f"{name}_edge"], batch[f"{name}_seen"]) for name in WINDOWS}
            found["landmarks"] = self.landmarks(batch["face"], patches).item()
        return found

    def sheet(self, model: CompactNetworks, batch: dict[str, Tensor]) -> np.ndarray:
        """Of each window the portrait's own, the warp, ours, the truth, and the change."""
        out = forward(model, batch)
        return tiles(
            [
                F.interpolate(image, size=(128, 128 * image.shape[3] // image.shape[2]))
                for name in WINDOWS
                for image in (
                    batch[f"{name}_source"],
                    batch[f"{name}_warped"],
                    out.patches[name],
                    batch[f"{name}_target"],
                    out.changes[name] + 0.5,
                )
            ]
        )
