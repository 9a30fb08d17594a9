"""Landmarks of all recordings and features of augmented copies, once, before training.

python -m pipelines.train.speech.prepare --media DIR --speech DIR --out DIR
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from pipelines.command import command
from speechhead.audio.io import Samples, load_audio, save_wav
from speechhead.speech.encoders import WindowConfig

from .augment import VoiceChange, change_speed, degrade, nobody_speaks
from .listeners import Listener, note_encoder, open_listener
from .recordings import list_recordings, write_meshes
from .visemes import read_phonemes


def voice_of(copy: int, rng: np.random.Generator, vary_speed: bool = True) -> VoiceChange:
    """Copy 0 is the recording itself; the others are other voices."""
    if copy == 0:
        return VoiceChange()
    speed = round(float(rng.uniform(0.86, 1.16)), 2) if vary_speed else 1.0
    return VoiceChange(speed=speed, warp=round(float(np.exp(rng.uniform(-0.22, 0.22))), 2))


def prepare(
    recordings: Mapping[str, Callable[[], Samples]],
    folder: Path,
    copies: list[int],
    listener: Listener,
    vary_speed: bool = True,
) -> None:
    """Write `folder/copy/stem.npy` (float16 [blocks, positions, channels]) and `.json` (the voice); existing ones stay.

    Parameters
    ----------
    recordings : what gives the sound (float32 [n], 16 kHz), by stem
    listener : makes the features
    """
    sounds = {stem: sound() for stem, sound in recordings.items()}
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
            features = listener.features(sound, voice.warp)
            target.with_suffix(".json").write_text(json.dumps(asdict(voice) | {"samples": len(sound)}))
            np.save(target, features)


def write_nobody(folder: Path, count: int = 40) -> dict[str, Callable[[], Samples]]:
    """Recordings in which nobody speaks, digital silence among them, by stem."""
    folder.mkdir(parents=True, exist_ok=True)
    sounds = {f"nobody_{i:02d}": nobody_speaks(np.random.default_rng(i)) for i in range(count)}
    sounds["nobody_zero"] = np.zeros(48_000, np.float32)
    paths = {stem: save_wav(folder / f"{stem}.wav", sound) for stem, sound in sounds.items()}
    return {stem: partial(load_audio, path) for stem, path in paths.items()}


def main(
    media: Annotated[list[Path], typer.Option(help="Clips with catalog.csv, or shards of footage; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Folder for landmarks and features.")],
    speech: Annotated[Path | None, typer.Option(help="Folder of wav files with phonemes in JSON beside them.")] = None,
    copies: Annotated[int, typer.Option(help="Of each clip, in voices of their own.")] = 5,
    layers: Annotated[int, typer.Option(help="Of the shipped encoder; features are those of the last.")] = 3,
    encoder: Annotated[
        str,
        typer.Option(help="whisper, or transformers:MODEL: a wav2vec2, HuBERT or Whisper of its hub, or a folder."),
    ] = "whisper",
    device: Annotated[str, typer.Option(help="Of the encoder: cpu or cuda.")] = "cpu",
) -> None:
    """Landmarks and features of the clips; features of speech with phonemes, without, and of nobody speaking."""
    torch.set_num_threads(1)
    listener, numbers = open_listener(encoder, WindowConfig(), (layers,), device), list(range(copies))
    note_encoder(out, listener)
    recordings = list_recordings(media)
    write_meshes(recordings, out / "meshes")
    prepare({one.stem: one.sound for one in recordings}, out / "clips", numbers, listener)
    prepare(write_nobody(out / "nobody"), out / "labelled", numbers[:2], listener, vary_speed=False)
    spoken: dict[str, dict[str, Callable[[], Samples]]] = {"labelled": {}, "unlabelled": {}}
    for path in sorted(speech.glob("*.wav")) if speech else ():
        phonemes = path.with_suffix(".json")
        known = phonemes.exists() and read_phonemes(phonemes)
        spoken["labelled" if known else "unlabelled"][path.stem] = partial(load_audio, path)
    for kind, sounds in spoken.items():
        if sounds:
            prepare(sounds, out / kind, numbers[:3], listener)


app = command(main)


if __name__ == "__main__":
    app()
