"""Other voices, rooms and microphones out of the few recorded ones: audio augmentation at 16 kHz."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from scipy import signal

from speechhead.audio.io import Samples

from .torch_sound import convolved, resampled

RATE = 16_000


@dataclass(frozen=True)
class VoiceChange:
    """How one augmented copy was made, as far as its targets or its features depend on it.

    speed: recorded seconds per augmented second (landmarks are warped alike);
    warp: the spectrum is read at `warp` times each frequency (pitch and formants move by 1 / warp).
    """

    speed: float = 1.0
    warp: float = 1.0


def change_speed(x: Samples, speed: float) -> Samples:
    """Resample, so that time, pitch and formants change together; speed in hundredths."""
    up, down = 100, round(100 * speed)
    shared = gcd(up, down)
    return resampled(x, up // shared, down // shared)


def coloured_noise(n: int, slope: float, rng: np.random.Generator) -> Samples:
    """Noise of unit RMS whose power falls as 1 / f ** slope (0 white, 1 pink, 2 brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum /= np.maximum(np.fft.rfftfreq(n, 1 / RATE), 20.0) ** (slope / 2)
    noise = np.fft.irfft(spectrum, n)
    return (noise / (np.std(noise) + 1e-12)).astype(np.float32)


def music(n: int, rng: np.random.Generator) -> Samples:
    """Chords of decaying harmonics with a beat, unit RMS: sound with rhythm and pitch that is no speech."""
    t = np.arange(n) / RATE
    beat = rng.uniform(0.25, 0.7)
    out = np.zeros(n)
    for start in np.arange(rng.uniform(0, beat), n / RATE, beat):
        local = t - start
        envelope = np.where(local >= 0, np.exp(-np.maximum(local, 0) * rng.uniform(2, 8)), 0)
        root = 110 * 2 ** (rng.integers(0, 24) / 12)
        for interval in rng.choice([0, 3, 4, 7, 10, 12], 3, replace=False):
            for harmonic in range(1, 5):
                pitch = root * 2 ** (interval / 12) * harmonic
                out += envelope * np.sin(2 * np.pi * pitch * t + rng.uniform(0, 6.3)) / harmonic
        if rng.random() < 0.5:
            out += 2 * np.where(local >= 0, np.exp(-np.maximum(local, 0) * 60), 0) * rng.standard_normal(n)
    return (out / (np.std(out) + 1e-12)).astype(np.float32)


def room(rng: np.random.Generator) -> Samples:
    """A synthetic room response: the direct sound at 0, then exponentially decaying noise."""
    decay = rng.uniform(0.08, 0.7)
    tail = rng.standard_normal(int(RATE * decay)) * np.exp(-6.9 * np.arange(int(RATE * decay)) / (RATE * decay))
    tail[: int(rng.uniform(0.001, 0.015) * RATE)] = 0
    response = tail * rng.uniform(0.1, 1.0) / (np.linalg.norm(tail) + 1e-9)
    response[0] = 1.0
    return response.astype(np.float32)


def band_limit(x: Samples, rng: np.random.Generator) -> Samples:
    """A telephone, a dull or a thin microphone."""
    low, high = [(300, 3400), (60, rng.uniform(2500, 6000)), (rng.uniform(100, 500), 7800)][rng.integers(3)]
    sos = signal.butter(rng.integers(2, 6), (low, high), "bandpass", fs=RATE, output="sos")
    return signal.sosfilt(sos, x).astype(np.float32)


def tilt(x: Samples, rng: np.random.Generator) -> Samples:
    """A smooth random equaliser of +-8 dB."""
    knots = np.array([0, 0.02, 0.06, 0.15, 0.4, 1.0])
    response = signal.firwin2(129, knots, 10 ** (rng.uniform(-8, 8, len(knots)) / 20))
    return convolved(x, response)[64 : 64 + len(x)]


def coarse(x: Samples, rng: np.random.Generator) -> Samples:
    """Mu-law steps of 5 to 8 bits, after a codec's habit of dropping what is quiet."""
    levels = 2 ** rng.integers(4, 8)
    peak = np.max(np.abs(x)) + 1e-9
    squeezed = np.sign(x) * np.log1p(255 * np.abs(x) / peak) / np.log(256)
    squeezed = np.round(squeezed * levels) / levels
    return (np.sign(squeezed) * np.expm1(np.abs(squeezed) * np.log(256)) / 255 * peak).astype(np.float32)


def degrade(x: Samples, rng: np.random.Generator, babble: Samples | None = None) -> Samples:
    """Room, colour, noise, clipping and gain; the length and the timing stay.

    Parameters
    ----------
    x : float32 [n]
    babble : other people's speech for the background, at least as long as wanted, or None
    """
    n = len(x)
    if rng.random() < 0.45:
        x = convolved(x, room(rng))[:n]
    if rng.random() < 0.6:
        x = tilt(x, rng)
    if rng.random() < 0.3:
        x = band_limit(x, rng)
    level = np.sqrt(np.mean(x**2)) + 1e-6
    if rng.random() < 0.7:
        noise = coloured_noise(n, rng.uniform(0, 2), rng)
        x = x + level * 10 ** (-rng.uniform(5, 40) / 20) * noise
    kind = rng.random()
    if kind < 0.15:
        x = x + level * 10 ** (-rng.uniform(5, 25) / 20) * music(n, rng)
    elif kind < 0.25 and babble is not None and len(babble) > n:
        start = rng.integers(len(babble) - n)
        other = babble[start : start + n]
        x = x + level * 10 ** (-rng.uniform(12, 25) / 20) * other / (np.std(other) + 1e-6)
    if rng.random() < 0.2:
        x = coarse(x, rng)
    gain = 10 ** (rng.uniform(-32, -12) / 20) / (
        np.sqrt(np.mean(x**2)) + 1e-6
    )  # speech usually has an RMS of -26..-18 dB
    return np.clip(x * gain, -1, 1).astype(np.float32)


def nobody_speaks(rng: np.random.Generator, seconds: float = 6.0) -> Samples:
    """Silence, hiss, hum, music, taps: sound to which a mouth stays shut."""
    n = int(seconds * RATE)
    kind = rng.integers(5)
    if kind == 0:
        return (rng.standard_normal(n) * 10 ** rng.uniform(-6, -3.5)).astype(np.float32)
    if kind == 1:
        sound = coloured_noise(n, rng.uniform(0, 2), rng)
    elif kind == 2:
        sound = music(n, rng)
    elif kind == 3:
        hum = sum(np.sin(2 * np.pi * 50 * k * np.arange(n) / RATE) / k for k in range(1, 8))
        sound = (hum + 0.3 * coloured_noise(n, 1, rng)).astype(np.float32)
    else:
        taps = np.zeros(n)
        taps[rng.integers(n, size=rng.integers(3, 25))] = rng.uniform(0.2, 1)
        ring = np.exp(-np.arange(1600) / rng.uniform(20, 300)) * rng.standard_normal(1600)
        sound = (signal.oaconvolve(taps, ring)[:n] + 0.01 * coloured_noise(n, 1, rng)).astype(np.float32)
    return (sound / (np.std(sound) + 1e-9) * 10 ** (rng.uniform(-50, -14) / 20)).clip(-1, 1).astype(np.float32)
