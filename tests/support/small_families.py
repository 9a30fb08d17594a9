"""Every family in a size that runs in milliseconds, and the containers in which its weights are published."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from speechhead.generators.checkpoints import imported, stored
from speechhead.generators.families import registry
from speechhead.generators.families.latents import FamilyLatents, LatentsConfig

SIZE = 64

_DENSE = {"block_expansion": 4, "max_features": 16, "num_blocks": 2, "scale_factor": 0.25}
_FOMM = {
    "common_params": {"num_kp": 4, "num_channels": 3, "estimate_jacobian": True},
    "kp_detector_params": {
        "temperature": 0.1,
        "block_expansion": 4,
        "max_features": 16,
        "scale_factor": 0.25,
        "num_blocks": 2,
    },
    "generator_params": {
        "block_expansion": 8,
        "max_features": 16,
        "num_down_blocks": 2,
        "num_bottleneck_blocks": 2,
        "estimate_occlusion_map": True,
        "dense_motion_params": _DENSE,
    },
}
_VOLUME = {"block_expansion": 4, "max_features": 16, "num_blocks": 2, "reshape_depth": 4, "compress": 2}
_FV2V = {
    "common_params": {"num_kp": 4, "image_channel": 3, "feature_channel": 4, "estimate_jacobian": False},
    "kp_detector_params": {
        "temperature": 0.1,
        "block_expansion": 4,
        "max_features": 16,
        "scale_factor": 0.25,
        "num_blocks": 2,
        "reshape_channel": 64,
        "reshape_depth": 4,
    },
    "he_estimator_params": {"block_expansion": 8, "max_features": 64, "num_bins": 66},
    "generator_params": {
        "block_expansion": 2,
        "max_features": 16,
        "num_down_blocks": 2,
        "reshape_channel": 4,
        "reshape_depth": 4,
        "num_resblocks": 1,
        "estimate_occlusion_map": True,
        "dense_motion_params": _VOLUME,
    },
}
_F2F = {
    "afe": {"down_seq": [4, 8, 12], "n_res": 1, "C": 4, "D": 4},
    "ckd": {"down_seq": [3, 8, 16], "up_seq": [16, 8, 4], "D": 4, "K": 4, "scale_factor": 0.25},
    "hpe_ede": {"n_filters": [8, 16, 24, 32, 48], "n_blocks": [1, 1, 1, 1], "n_bins": 66, "K": 4},
    "mfe": {"down_seq": [15, 8, 16], "up_seq": [16, 8, 4], "K": 4, "D": 4, "C1": 4, "C2": 2},
    "generator": {"use_weight_norm": True, "n_res": 1, "up_seq": [12, 8, 4], "D": 4, "C": 4},
}
_LIVE = {
    "appearance_feature_extractor_params": {
        "image_channel": 3,
        "block_expansion": 4,
        "num_down_blocks": 2,
        "max_features": 16,
        "reshape_channel": 4,
        "reshape_depth": 4,
        "num_resblocks": 1,
    },
    "motion_extractor_params": {"num_kp": 21, "dims": [4, 6, 8, 10], "depths": [1, 1, 1, 1]},
    "warping_module_params": {
        "num_kp": 5,
        "block_expansion": 2,
        "max_features": 16,
        "num_down_blocks": 2,
        "reshape_channel": 4,
        "estimate_occlusion_map": True,
        "dense_motion_params": _VOLUME,
    },
    "spade_generator_params": {
        "upscale": 2,
        "block_expansion": 2,
        "max_features": 16,
        "num_down_blocks": 2,
        "out_channels": 8,
    },
    "stitching_retargeting_module_params": {
        "stitching": {"input_size": 126, "hidden_sizes": [12, 8], "output_size": 65},
        "lip": {"input_size": 65, "hidden_sizes": [12, 8], "output_size": 63},
        "eye": {"input_size": 66, "hidden_sizes": [12, 8], "output_size": 63},
    },
}

PUBLISHED = {
    "fomm": {"model_params": _FOMM},
    "face-vid2vid": {"model_params": _FV2V, "patched_widths": {"he": [8, 16, 32, 64]}},
    "face-vid2vid-f2f": {"model_params": _F2F},
    "dagan": {
        "model_params": _FOMM,
        "patched_widths": {"depth_enc": [8, 8, 10, 12, 16], "depth_dec": [4, 6, 8, 10, 12]},
        "depth_fc_classes": 10,
    },
    "liveportrait": {"model_params": _LIVE, "spade_hidden": 6},
}
"""Configurations as published ones are written."""


def small(name: str, seed: int = 0, lively: bool = True, size: int = SIZE):
    """The small model of a family, for pictures of `size`; `lively` weights move and do not vanish."""
    torch.manual_seed(seed)
    config = registry.config_class(name).from_published(PUBLISHED[name])
    model = registry.build(name, dataclasses.replace(config, image_size=size)).eval()
    if lively:
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if parameter.dim() > 1:
                    part = 0.1 if key.startswith("stitching") else 1.0  # else it throws the keypoints off the picture
                    parameter.copy_(part * torch.randn_like(parameter) / parameter[0].numel() ** 0.5)
    return model


def _parts(model, names: list[str], prefix: str = "") -> dict[str, dict[str, torch.Tensor]]:
    return {name: dict(model.get_submodule(name).state_dict(prefix=prefix)) for name in names}


def installed(
    name: str, home: Path, latents: bool = True, seed: int = 0, size: int = SIZE, called: str = "", **seen: int
) -> Path:
    """A small model in the user's folder of weights, under the family's name or as it is `called`.

    Its Landmarks2Latents is not fitted but alive; `seen` is its past.
    """
    model = small(name, seed, size=size)
    path = stored.save_family(model, home / f"{called or name}.safetensors")
    if latents:
        with torch.no_grad():
            numbers = model.to_latent(model.motion(torch.rand(1, 3, size, size))).shape[1]
            network = FamilyLatents(LatentsConfig(name, numbers, 16, **seen))
            network.linear.weight.normal_(std=0.01)
        network.save(imported.latents_path(path))
    return path


def published_container(name: str, model, folder: Path, prefix: str = "") -> Path:
    """Save a model's weights as its authors do, with what lies beside them; the file or the folder to import."""
    folder.mkdir(parents=True, exist_ok=True)
    extra = {
        "discriminator": {"w": torch.zeros(1)},
        "epoch": 3,
        "optimizer_generator": {"state": {}, "param_groups": []},
    }
    if name == "liveportrait":
        base, more = folder / "base_models", folder / "retargeting_models"
        base.mkdir()
        more.mkdir()
        stitching = "stitching_retargeting_module"
        for part in ("appearance_feature_extractor", "motion_extractor", "warping_module", "spade_generator"):
            torch.save(_parts(model, [part], prefix)[part], base / f"{part}.pth")
        names = [f"{stitching}.{n}" for n in ("retarget_shoulder", "retarget_mouth", "retarget_eye")]
        heads = {key.split(".")[1]: value for key, value in _parts(model, names, "module.").items()}
        torch.save(heads, more / f"{stitching}.pth")
        (folder / "landmark.onnx").write_bytes(b"not ours")
        return folder
    if name == "dagan":
        torch.save({**_parts(model, ["generator", "kp_detector"], "module."), **extra}, folder / "DaGAN_vox.pth.tar")
        depth = folder / "depth" / "models" / "weights_19"
        depth.mkdir(parents=True)
        encoder = {**model.depth_encoder.state_dict(), "height": 192, "width": 640, "use_stereo": False}
        torch.save(encoder, depth / "encoder.pth")
        torch.save(dict(model.depth_decoder.state_dict()), depth / "depth.pth")
        return folder
    names = {
        "fomm": ["generator", "kp_detector"],
        "face-vid2vid": ["generator", "kp_detector", "he_estimator"],
        "face-vid2vid-f2f": ["afe", "ckd", "hpe_ede", "mfe", "generator"],
    }[name]
    torch.save({**_parts(model, names, prefix), **extra}, folder / "00000099-checkpoint.pth.tar")
    return folder / "00000099-checkpoint.pth.tar"
