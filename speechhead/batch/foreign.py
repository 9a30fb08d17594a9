"""Inputs of strangers: pictures, and containers that hold their film and sound themselves."""

from __future__ import annotations

from pathlib import Path

import av

from speechhead.core.disk import reason
from speechhead.core.errors import MediaError
from speechhead.media.decoding import address, silence
from speechhead.media.image import is_picture

CONTAINERS = (
    "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "flac", "flv", "matroska", "mov", "mp3", "mp4",
    "mpeg", "mpegts", "ogg", "tta", "w64", "wav", "webm", "wv",
)  # fmt: skip
"""Containers by libav's names, and none that names other files or addresses, as playlists do."""


def check_foreign(path: Path, longest: float) -> None:
    """Refuse a file that is neither a picture nor one of `CONTAINERS`, or that states more than `longest` seconds.

    libav tells a container by its content, the same way each time, so what passes here is read as that later on.

    Raises
    ------
    MediaError, in one line that does not name the folder.
    """
    silence()
    if is_picture(path):
        return
    try:
        with av.open(
            address(path), options={"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}
        ) as file:
            names = set(file.format.name.split(","))
            seconds = (file.duration or 0) / av.time_base
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{path.stem}: not a picture, a sound or a video known here ({reason(error)}).") from error
    if not names & set(CONTAINERS):
        raise MediaError(f"{path.stem}: '{file.format.name}' is not taken. Convert it to mp4, or sound to wav.")
    if seconds > longest:
        raise MediaError(f"{path.stem}: {seconds:.0f} s is too long (at most {longest:.0f} s). Cut it.")
