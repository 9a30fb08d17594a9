"""The linear voice beside the networks: what it learns, what it may not do, and that a stream has it as a whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch
from support.paths import ROOT
from typer.testing import CliRunner

from pipelines.data.curves import correlation
from pipelines.train.config import read
from pipelines.train.speech.checkpoint import load_networks, save_checkpoint
from pipelines.train.speech.data import SpeechClip
from pipelines.train.speech.export import app
from pipelines.train.speech.linear import LinearConfig, LinearTraining, LinearVoice, fitted, load_voice, save_voice
from pipelines.train.speech.measures import curves_of
from pipelines.train.speech.network import Network, NetworkConfig, keep_apart
from speechhead.face.landmarks import REFERENCE
from speechhead.speech.model import Speech2Landmarks

VOICE = LinearConfig(encoder="mfcc", channels=52, positions=4, size=13, rank=4, before=2)
FRAMES, BLOCK = VOICE.window.block + VOICE.window.ahead, VOICE.window.block


def person(name: str, seed: int) -> tuple[SpeechClip, np.ndarray]:
    """Lips that open and a chin that falls with one channel; the voice has a colour and the face a rest of its own."""
    rng = np.random.default_rng(seed)
    wave = np.convolve(rng.standard_normal(204), np.ones(5) / 5, "same").astype(np.float32)
    frames = rng.normal(0, 0.1, (204, 4, 13)).astype(np.float32) + rng.normal(0, 1, 13).astype(np.float32)
    frames[:, :, 1] += wave[:, None]
    rows = np.arange(0, 200, BLOCK)[:, None] + np.arange(FRAMES)
    landmarks = np.repeat(REFERENCE[None], 200, 0) + rng.normal(0, 0.02, (70, 3)).astype(np.float32)
    landmarks[:, 65:68, 1] += rng.uniform(0.1, 0.3) * wave[:200, None]
    landmarks[:, 7:10, 1] += 0.1 * wave[:200, None]
    clip = SpeechClip(name, name, "train", "", landmarks.astype(np.float32), REFERENCE, np.zeros(7, np.float32))
    return clip, frames[rows].reshape(len(rows), FRAMES, 52)


def test_it_serves_people_it_has_not_seen_and_is_still_where_nobody_speaks(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    clips, heard = zip(*(person(f"p{seed}", seed) for seed in range(6)), strict=True)
    sounds = {clip.stem: one for clip, one in zip(clips, heard, strict=True)}
    quiet = np.full((60, FRAMES, 52), -2.0, np.float32)
    config = LinearTraining((), Path(), Path(), lead=0, penalty=0.1, quiet=10.0, chin=1.5, voice=VOICE)
    voice = fitted(config, clips, sounds | {"nobody_zero": quiet})
    stranger, features = person("stranger", 77)
    said, true = curves_of(voice.whole(features)), curves_of(stranger.motion)
    assert correlation(said["opening"], true["opening"]) > 0.9 and correlation(said["chin"], true["chin"]) > 0.9
    assert np.abs(np.diff(voice.whole(quiet), axis=0)).max() < 1e-4
    plain = fitted(replace(config, chin=1.0), clips, sounds | {"nobody_zero": quiet})
    assert np.ptp(said["chin"]) == pytest.approx(1.5 * np.ptp(curves_of(plain.whole(features))["chin"]), rel=0.1)
    save_voice(tmp_path / "voice.safetensors", voice)
    again = load_voice(tmp_path / "voice.safetensors")
    assert again.config == VOICE and np.array_equal(again.whole(features), voice.whole(features))


def test_it_opens_no_lips_that_the_networks_shut() -> None:
    voice = LinearVoice(replace(VOICE, share=(0.0, 0.5, 0.0), parted=(0.01, 0.05)))
    lower = torch.zeros(70, 3)
    lower[65:68, 1] = 1
    shut, open_, ours = 0.0 * lower, 0.1 * lower, 0.2 * lower
    mixed = voice.beside(torch.stack([shut, open_, open_]), torch.stack([ours, ours, shut])).numpy()
    assert np.allclose(curves_of(mixed)["opening"], [0.0, 0.15, 0.05], atol=1e-6)


def test_a_stream_has_it_as_a_whole_does(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    network = Network(NetworkConfig("mfcc", channels=52, positions=4, project=8, width=16, modes=3, face_codes=1))
    network.basis.copy_(torch.from_numpy(rng.normal(0, 0.02, (3, 210)).astype(np.float32)))
    voice = LinearVoice(VOICE)
    voice.take(
        directions=rng.normal(0, 0.1, (13, 13)),
        weights=rng.normal(0, 0.05, (5 * 52, 4)),
        basis=rng.normal(0, 1, (4, 210)),
    )
    save_checkpoint(tmp_path / "a.safetensors", network)
    save_voice(tmp_path / "voice.safetensors", voice)
    plain, both = tmp_path / "plain.onnx", tmp_path / "both.onnx"
    for out, more in ((plain, ()), (both, ("--linear", str(tmp_path / "voice.safetensors")))):
        source = tmp_path / "a.safetensors" if out == plain else plain
        result = CliRunner().invoke(app, ["network", str(out), "--checkpoint", str(source), *more])
        assert result.exit_code == 0, result.output
    assert json.loads(both.with_suffix(".json").read_text())["width"] == 16 + 2 * 52
    (opened,) = load_networks(both)
    assert torch.equal(opened.basis, load_networks(plain)[0].basis)

    sound = (0.1 * rng.standard_normal(9000)).astype(np.float32)
    alone, model = Speech2Landmarks.load(plain), Speech2Landmarks.load(both)
    whole = model.whole(sound)
    stream = model.stream()
    parts = [stream.push(part) for part in np.split(sound, [3, 700, 701, 5000])]
    assert np.array_equal(np.concatenate([*parts, stream.flush()]), whole)

    state, before, blocks, moved = np.zeros((1, 1, 16), np.float32), np.zeros((1, 1, 16 + 2 * 52), np.float32), [], []
    features = rng.normal(0, 1, (6, FRAMES, 52)).astype(np.float32)
    for block in features:
        motion, state = alone.step(block, np.zeros(7, np.float32), REFERENCE, state)
        told, before = model.step(block, np.zeros(7, np.float32), REFERENCE, before)
        blocks.append(motion), moved.append(told)
    with torch.inference_mode():
        said = torch.from_numpy(voice.whole(features))
        expected = keep_apart(voice.beside(torch.from_numpy(np.concatenate(blocks)), said)).numpy()
    assert (
        np.allclose(np.concatenate(moved), expected, atol=5e-3)
        and np.abs(expected - np.concatenate(blocks)).max() > 0.05
    )


def test_the_shipped_config_is_read() -> None:
    config = read(LinearTraining, ROOT / "pipelines" / "configs" / "linear_voice.json")
    assert config.voice.window.lookahead <= 0.2 and config.voice.after <= config.voice.window.ahead
