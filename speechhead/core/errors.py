"""Errors that a user can cause, each carrying one line that names the value and the remedy."""


class SpeechheadError(ValueError):
    """Base of all errors caused by input; the command line prints it as one line and exits 2."""


class AudioError(SpeechheadError):
    """The audio can not be read, is empty, or is not usable as speech."""


class SpeechSynthesisError(SpeechheadError):
    """The text can not be spoken: empty, unknown voice, or the engine is missing."""


class ImageError(SpeechheadError):
    """The picture can not be read or is not usable as a portrait."""


class FaceError(SpeechheadError):
    """No usable face, or a face selection that does not exist."""


class NoFaceError(FaceError):
    """There is no face in the picture, or none that is large enough."""


class LandmarkError(SpeechheadError):
    """Landmarks of the wrong shape, or without enough finite rigid points."""


class WeightsError(SpeechheadError):
    """A weight file is absent, damaged, or belongs to another family."""


class DeviceError(SpeechheadError):
    """The requested engine or device is not available on this machine."""


class DeviceMemoryError(DeviceError):
    """The device has no memory left for what is asked; what was tried holds none of it."""


class MediaError(SpeechheadError):
    """A video can not be read or written."""


class ControlError(SpeechheadError):
    """A control (emotion, gaze, pose, amplitude ...) is unknown or out of range."""


class BatchError(SpeechheadError):
    """A list of jobs can not be read, or one of its lines asks for what is not possible."""


class ServerError(SpeechheadError):
    """The live server can not do what is asked: a setting, a limit, or its state forbids it."""


class WireError(SpeechheadError):
    """Bytes that are no packet of motion."""
