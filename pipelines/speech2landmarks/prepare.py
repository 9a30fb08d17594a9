"""Compute encoder features of augmented copies of all recordings, once, before training."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from speechhead.audio.io import load_audio
from speechhead.speech2landmarks.encoders import WindowConfig

from .augment import Voice, change_speed, degrade
from .whisper import WhisperEncoder, packaged_model
from .windows import window_features


def voice_of(copy: int, rng: np.random.Generator, vary_speed: bool = True) -> Voice:
    """Copy 0 is the recording itself; the others are other voices."""
    if copy == 0:
        return Voice()
    speed = round(float(rng.uniform(0.86, 1.16)), 2) if vary_speed else 1.0
    return Voice(speed=speed, warp=round(float(np.exp(rng.uniform(-0.22, 0.22))), 2))


def prepare(
    recordings: dict[str, Path],
    folder: Path,
    copies: list[int],
    config: WindowConfig,
    layers: tuple[int, ...],
    vary_speed: bool = True,
) -> None:
    """Write `folder/copy/stem.npy` (float16 [blocks, positions, channels]) and `.json` (the voice); existing ones stay.

    Parameters
    ----------
    recordings : path of the sound by stem
    layers : encoder layers kept side by side; the encoder is cut after the highest
    """
    encoder = WhisperEncoder.from_ctranslate2(packaged_model(), max(layers))
    sounds = {stem: load_audio(path) for stem, path in recordings.items()}
    babble = np.concatenate(list(sounds.values()))
    for copy in copies:
        (folder / str(copy)).mkdir(parents=True, exist_ok=True)
        for stem, sound in sounds.items():
            target = folder / str(copy) / f"{stem}.npy"
            if target.exists():
                continue
            rng = np.random.default_rng([zlib.crc32(stem.encode()), copy])
            voice = voice_of(copy, rng, vary_speed)
            if copy > 0:
                sound = degrade(change_speed(sound, voice.speed), rng, babble)
            features = window_features(sound, encoder, config, voice.warp, layers)
            target.with_suffix(".json").write_text(json.dumps(asdict(voice) | {"samples": len(sound)}))
            np.save(target, features)


if __name__ == "__main__":
    import csv
    import sys

    torch.set_num_threads(1)
    media, out, first, last, *kept = sys.argv[1:]
    with (Path(media) / "catalog.csv").open(encoding="utf-8") as stream:
        clips = {
            row["file"].rsplit(".", 1)[0]: Path(media) / row["file"]
            for row in csv.DictReader(stream)
            if row["audio"] == "True"
        }
    prepare(clips, Path(out), list(range(int(first), int(last) + 1)), WindowConfig(), tuple(map(int, kept)))
