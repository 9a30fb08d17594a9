"""Sound: reading, resampling, features and prosody, whole-file and streaming with the same values."""

from .io import StreamResampler, load_audio, resample, save_wav

__all__ = ["StreamResampler", "load_audio", "resample", "save_wav"]
