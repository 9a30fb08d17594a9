"""Tiny configs of the families: networks that train in milliseconds."""

from __future__ import annotations

from typing import Any

DENSE = {"block_expansion": 4, "max_features": 8, "num_blocks": 2}
FLAT = {
    "num_kp": 4,
    "image_size": 64,
    "kp_detector": DENSE,
    "generator": {
        "block_expansion": 4,
        "max_features": 8,
        "num_down_blocks": 1,
        "num_bottleneck_blocks": 1,
        "estimate_occlusion_map": True,
        "dense_motion_params": DENSE,
    },
}
VOLUME = {"block_expansion": 4, "max_features": 16, "num_down_blocks": 2, "reshape_channel": 4}
SOLID = VOLUME | {"reshape_depth": 4, "num_resblocks": 1}
DENSE_3D = DENSE | {"reshape_depth": 4, "compress": 2}
MODELS: dict[str, Any] = {
    "fomm": FLAT,
    "dagan": FLAT | {"depth": {"encoder_widths": [4, 4, 4, 8, 8], "decoder_widths": [2, 4, 4, 4, 8], "classes": 1}},
    "face-vid2vid": {
        "num_kp": 4,
        "image_size": 64,
        "kp_detector": DENSE | {"scale_factor": 1.0, "reshape_channel": 16, "reshape_depth": 4},
        "he_estimator": {"block_expansion": 4, "stages": [4, 8, 8, 8]},
        "generator": SOLID | {"dense_motion": DENSE_3D},
    },
    "liveportrait": {
        "image_size": 64,
        "appearance": SOLID,
        "extractor": {"dims": [4, 4, 8, 8], "depths": [1, 1, 1, 1]},
        "warping": VOLUME | {"num_kp": 5, "dense_motion": DENSE_3D},
        "decoder": {"block_expansion": 4, "max_features": 16, "out_channels": 4, "hidden": 4},
    },
}
