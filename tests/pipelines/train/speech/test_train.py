"""The trainer of Speech2Landmarks on a made-up corpus: learns, saves, reloads, exports; and its measures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("librosa")

import torch
from support.paths import ROOT

from pipelines.data.curves import correlation
from pipelines.train.config import ConfigError
from pipelines.train.speech import visemes
from pipelines.train.speech.augment import VoiceChange, change_speed, degrade
from pipelines.train.speech.batches import Labelled, Sampler
from pipelines.train.speech.checkpoint import load_checkpoint, load_onnx, save_checkpoint
from pipelines.train.speech.curves import Piece, Student
from pipelines.train.speech.data import SpeechClip, SpeechFeatures, targets_at
from pipelines.train.speech.evaluate import measure_clip, opening_of, predict
from pipelines.train.speech.export import export
from pipelines.train.speech.learner import SpeechLearner
from pipelines.train.speech.network import NetworkConfig
from pipelines.train.speech.train import SpeechTraining, train
from speechhead.face.landmarks import REFERENCE
from speechhead.speech.encoders import WindowConfig
from speechhead.speech.model import Speech2Landmarks
from speechhead.speech.smoothing import Smoothing

CONFIGS = ROOT / "pipelines" / "configs"
LIPS = np.array([0, -1, -1, -1, -1, -1, 0, 1, 1, 1, 1, 1, 0, -1, -1, -1, 0, 1, 1, 1], np.float32)
NETWORK = NetworkConfig(
    encoder="mfcc", channels=52, positions=4, project=8, width=16, modes=3, face_codes=1, dropout=0.0
)
BLOCK, FRAMES = NETWORK.window.block, NETWORK.window.block + NETWORK.window.ahead


def corpus(folder: Path) -> tuple[list[tuple[SpeechClip, SpeechFeatures]], list[Labelled]]:
    """Two people whose lips open with the first feature channel."""
    (folder / "0").mkdir()
    pairs = []
    for k, name in enumerate(("a", "b")):
        rng = np.random.default_rng(k)
        wave = np.convolve(rng.standard_normal(150), np.ones(6) / 6, "same").astype(np.float32)
        blocks = 150 // BLOCK
        features = rng.normal(0, 0.1, (blocks, FRAMES, 52)).astype(np.float16)
        for frame in range(FRAMES):
            features[:, frame, 0] += wave[np.minimum(np.arange(blocks) * BLOCK + frame, 149)].astype(np.float16)
        np.save(folder / "0" / f"{name}.npy", features)
        (folder / "0" / f"{name}.json").write_text(json.dumps({"speed": 1.0}))
        landmarks = np.repeat(REFERENCE[None], 150, 0).copy()
        landmarks[:, 48:68, 1] += 0.1 * np.maximum(wave, 0)[:, None] * LIPS
        clip = SpeechClip(name, name, "train", "", landmarks, REFERENCE, np.zeros(7, np.float32))
        pairs.append((clip, SpeechFeatures(folder, name, [0], FRAMES)))
    return pairs, [Labelled(pairs[0][1], [("b", 0.4, 0.5), ("ɑ", 0.5, 0.9)]), Labelled(pairs[1][1], [])]


def training(**values: Any) -> SpeechTraining:
    """A small config."""
    small = {"batch": 4, "label_batch": 2, "blocks": 12, "learning_rate": 1e-2, "lead": 0, "network": NETWORK}
    return SpeechTraining(**{"media": (), "features": Path(), "output": Path()} | small | values)


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    pairs, labelled = corpus(tmp_path)
    config = training(steps=6, keep_every=3)
    whole = train(config, pairs, labelled, report=0)
    states = []
    with pytest.MonkeyPatch.context() as patch:
        save = SpeechLearner.save

        def stops(learner: SpeechLearner, path: Path) -> None:
            save(learner, path)
            states.append(learner.step)
            raise KeyboardInterrupt

        patch.setattr(SpeechLearner, "save", stops)
        with pytest.raises(KeyboardInterrupt):
            train(config, pairs, labelled, report=0, keep=tmp_path / "run.resume.pt")
    assert states == [3]
    again = train(config, pairs, labelled, resume=tmp_path / "run.resume.pt", report=0)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_a_student_learns_from_stretches_and_speaks_for_others(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    (tmp_path / "clips").mkdir()
    (one, _), (other, _) = corpus(tmp_path / "clips")[0]
    student = Student(training(features=tmp_path, steps=2, copies=1, lead=0.5), [one, other])
    (speak,) = student([(Piece(one, 0, 90), Piece(one, 100, 150))], 0).values()
    assert np.ptp(opening_of(speak(other))) > 0 and len(speak(other)) == 150
    assert one.lag == 0  # the lead is the stretch's alone


def test_trains_saves_and_exports(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    pairs, labelled = corpus(tmp_path)
    config = training(steps=40)
    network = train(config, pairs, labelled, report=0)
    clip, features = pairs[0]
    motion = predict(network, features.copies[0][0], clip.neutral)
    assert correlation(opening_of(motion), opening_of(clip.motion)) > 0.3
    assert np.abs(motion[:, 36:48]).max() == 0 and np.abs(motion[:, 68:]).max() == 0

    save_checkpoint(tmp_path / "net.safetensors", network, {"note": 1})
    again, notes = load_checkpoint(tmp_path / "net.safetensors")
    assert notes == {"note": 1} and again.config == NETWORK
    assert np.array_equal(predict(again, features.copies[0][0], clip.neutral), motion)

    export([again], tmp_path / "net.onnx")
    opened = load_onnx(tmp_path / "net.onnx")
    assert opened.config == replace(NETWORK, dropout=opened.config.dropout)
    assert np.allclose(predict(opened, features.copies[0][0], clip.neutral), motion, atol=3e-3)
    held = train(training(steps=2, start=tmp_path / "net.onnx", blend=0.0), pairs, labelled, report=0)
    assert torch.equal(held.gru.weight_ih_l0, opened.gru.weight_ih_l0)  # nothing of what is learned is taken
    model = Speech2Landmarks.load(tmp_path / "net.onnx")
    state = np.zeros((1, 1, NETWORK.width), np.float32)
    parts = []
    for block in features.copies[0][0][:8].astype(np.float32):
        out, state = model.step(block, np.zeros(7, np.float32), clip.neutral, state)
        parts.append(out)
    smooth = Smoothing(model.config.smooth).push(np.concatenate(parts))
    assert np.allclose(smooth, motion[: len(smooth)], atol=3e-3)  # half-precision weights

    other = train(training(steps=3, seed=1), pairs, labelled, report=0)
    export([again, other], tmp_path / "both.onnx", [3, 1])
    both = Speech2Landmarks.load(tmp_path / "both.onnx")
    assert both.config.width == 2 * NETWORK.width
    theirs = predict(other, features.copies[0][0], clip.neutral)
    state, parts = np.zeros((1, 1, 2 * NETWORK.width), np.float32), []
    for block in features.copies[0][0][:8].astype(np.float32):
        out, state = both.step(block, np.zeros(7, np.float32), clip.neutral, state)
        parts.append(out)
    smooth = Smoothing(model.config.smooth).push(np.concatenate(parts))
    assert np.allclose(smooth, (0.75 * motion + 0.25 * theirs)[: len(smooth)], atol=3e-3)
    with pytest.raises(ConfigError, match="2 networks. Start from the checkpoint of one."):
        load_onnx(tmp_path / "both.onnx")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("speech2landmarks*.json")), ids=lambda path: path.stem)
def test_a_shipped_config_trains(path: Path, tmp_path: Path) -> None:
    """Two steps with its own losses, on few small crops."""
    torch.set_num_threads(1)
    pairs, labelled = corpus(tmp_path)
    run = SpeechTraining.load(path).runs()[0]
    small = {"batch": 2, "label_batch": 1, "blocks": 6, "steps": 2, "network": NETWORK, "teachers": (), "start": None}
    network = train(replace(run, **small), pairs, labelled, report=0)  # type: ignore[arg-type]
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


def test_people_are_drawn_by_emphasis(tmp_path: Path) -> None:
    pairs, labelled = corpus(tmp_path)
    sampler = Sampler(pairs, labelled, BLOCK, 12)
    sampler.emphasise({"a": 0.0})
    assert list(sampler.chances) == [0.0, 1.0] and set(sampler.motion(8).who.tolist()) == {1}


def test_whisper_reader_follows_the_format(tmp_path: Path) -> None:
    from pipelines.train.speech.whisper import read_ctranslate2

    values = np.arange(6, dtype=np.float16).reshape(2, 3)
    text = lambda s: len(s).to_bytes(2, "little") + s.encode()  # noqa: E731
    number = lambda n: n.to_bytes(4, "little")  # noqa: E731
    body = number(6) + text("Spec\0") + number(3) + number(1) + text("encoder/x\0") + bytes([2]) + number(2) + number(3)
    (tmp_path / "model.bin").write_bytes(body + bytes([4]) + number(12) + values.tobytes())
    assert np.array_equal(read_ctranslate2(tmp_path / "model.bin")["encoder/x"], values)


def test_windows_agree_with_the_runtime() -> None:
    from pipelines.train.speech.whisper import WhisperEncoder
    from pipelines.train.speech.windows import log_mel, window_features
    from speechhead.audio.features import whisper_mel

    sound = (0.1 * np.random.default_rng(0).standard_normal(9000)).astype(np.float32)
    window = WindowConfig(left=200)
    encoder = WhisperEncoder(1, width=12, heads=2, positions=40).eval()
    features = window_features(sound, encoder, window)
    assert features.shape == (-(-9000 // window.block_samples), 2 * (window.block + window.ahead), 12)
    assert np.allclose(log_mel(torch.from_numpy(sound)[None])[0], whisper_mel(sound), atol=1e-4)


def test_augmentation_keeps_length_and_range() -> None:
    rng = np.random.default_rng(0)
    x = (0.1 * rng.standard_normal(16_000)).astype(np.float32)
    assert abs(len(change_speed(x, 1.1)) - 16_000 / 1.1) < 2
    for _ in range(8):
        y = degrade(x, rng, np.tile(x, 3))
        assert y.shape == x.shape and np.abs(y).max() <= 1 and np.isfinite(y).all()
    assert VoiceChange().speed == 1.0


def test_visemes_of_both_alphabets() -> None:
    names = [visemes.VISEMES[visemes.viseme(s) or 0] for s in ("p", "M", "ʃ", "tʃ", "AA1", "iː", "UW0", "sil")]
    assert names == ["pbm", "pbm", "sh", "sh", "aa", "ee", "w", "sil"]
    assert visemes.viseme("ˈ") is None
    labels = visemes.frame_visemes([("b", 0.41, 0.43), ("ɑ", 0.43, 0.6)], 20)
    assert list(np.flatnonzero(labels == visemes.CLOSED)) == [10]


def test_measures_take_the_lag_of_the_picture_out() -> None:
    t = np.arange(200)
    opening = np.abs(np.sin(t / 6)).astype(np.float32)
    motion = np.zeros((200, 70, 3), np.float32)
    motion[:, 65:68, 1] = 0.2 * opening[:, None]
    zero = np.zeros((70, 3), np.float32)
    late = np.roll(motion, 2, axis=0)  # the picture comes two frames after its sound
    clip = SpeechClip("a", "a", "val", "", late, zero, np.zeros(7, np.float32), lag=2.0)
    row = measure_clip(motion, clip, np.repeat(opening, 640))
    assert (row["own_lag"], row["lag"]) == (2, -2)  # our mouth, which is on time, is early beside the picture
    assert row["r"] == pytest.approx(1, abs=1e-3) and float(row["r_raw"]) < 0.9
    assert row["closures"] == row["closures_envelope"] == 1.0
    assert row["amplitude"] == pytest.approx(1, abs=0.02)


def test_targets_are_interpolated_and_known_to_be_inside() -> None:
    true = np.abs(np.sin(np.arange(200) / 6)).astype(np.float32)
    value, inside = targets_at(true, np.array([0.5, 250.0]))
    assert value[0] == pytest.approx((true[0] + true[1]) / 2) and list(inside) == [1, 0]
