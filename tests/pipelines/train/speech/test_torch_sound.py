"""With torchaudio and without, sound is the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
signal = pytest.importorskip("scipy.signal")
from support import fake_torchaudio  # noqa: E402

from pipelines.train.speech import torch_sound  # noqa: E402
from pipelines.train.speech.augment import change_speed, degrade  # noqa: E402


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    torch_sound.functional.cache_clear()
    yield
    torch_sound.functional.cache_clear()


def installed(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    """A package that works, or none."""
    torch_sound.functional.cache_clear()
    for name, module in fake_torchaudio.package().items():
        monkeypatch.setitem(sys.modules, name, module if there else None)
    assert (torch_sound.functional() is not None) == there


def voice(samples: int = 6000) -> np.ndarray:
    low = signal.butter(6, 5000, fs=16_000, output="sos")
    return signal.sosfilt(low, np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def test_both_ways_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    x, response = voice(), np.exp(-np.arange(800) / 100).astype(np.float32)
    made = []
    for there in (False, True):
        installed(monkeypatch, there)
        pair = torch_sound.resampled(x, 100, 109), torch_sound.resampled(x, 10, 9)
        made.append((*pair, torch_sound.convolved(x, response), torch_sound.mel_bank()))
    for ours, theirs in zip(made[0][:2], made[1][:2]):
        assert theirs.shape == ours.shape and theirs.dtype == np.float32
        assert np.abs(theirs - ours)[200:-200].mean() < 0.003 * np.abs(ours).mean()
    np.testing.assert_allclose(made[1][2], made[0][2], atol=1e-4)
    np.testing.assert_allclose(made[1][3], made[0][3], atol=1e-6)


def test_a_package_of_another_torch_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> Any:
        raise OSError(f"Could not load this library: {name}")

    monkeypatch.setattr(torch_sound.importlib, "import_module", fails)
    assert torch_sound.functional() is None


def test_augmentation_goes_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for there in (False, True):
        installed(monkeypatch, there)
        faster = change_speed(voice(), 1.1)
        made.append((faster, degrade(voice(), np.random.default_rng(3))))
    assert len(made[0][0]) == len(made[1][0]) == 5455
    for ours, theirs in zip(*made):
        assert np.abs(ours - theirs)[200:-200].mean() < 0.01 * np.abs(ours).mean()
