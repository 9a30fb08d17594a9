"""Addresses that a stage can be sent to: which are known, which this build of PyAV can write, what of them is shown."""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import av

from speechhead_server.core.problems import Refused

FORMATS = {"rtmp": "flv", "rtmps": "flv", "udp": "mpegts", "srt": "mpegts"}
"""Containers, by the scheme of an address; a path of /dev/ is a virtual camera."""

CAMERA = "v4l2"
"""The container of a virtual camera."""

PORTS = ("rtmp", "rtmps")
"""Schemes that have a port of their own, where an address names none."""

HOST = re.compile(r"[0-9a-z](?:[0-9a-z._-]*[0-9a-z])?|[0-9a-f:.]+(?:%[0-9a-z]+)?", re.IGNORECASE)
"""A name or an address of a machine."""

CODECS = {CAMERA: ("rawvideo",), "flv": ("libx264", "aac"), "mpegts": ("libx264", "aac")}
"""Encoders that a container needs."""

MOST = 8
"""Addresses that one session is sent to."""


def format_of(target: str) -> str:
    """The container, as FFmpeg calls it, in which an address gets its stream; ValueError for one that is not known."""
    if re.fullmatch(r"/dev/video\d{1,3}", target):
        return CAMERA
    parts = urlsplit(target)
    host, port = parts.hostname or "", parts.port  # a port beyond 65535 is a ValueError
    if parts.scheme not in FORMATS or not HOST.fullmatch(host) or (port is None and parts.scheme not in PORTS):
        raise ValueError(target)
    return FORMATS[parts.scheme]


def check_target(target: str) -> None:
    """Whether something can be sent to an address from here, before anything is.

    Raises
    ------
    Refused (422) for an address that is none, that this PyAV can not write, or of a camera that is not there.
    """
    shown = hidden(target)
    try:
        kind = format_of(target)
    except ValueError:
        known = ", ".join(f"{scheme}://" for scheme in FORMATS if speaks(scheme))
        raise Refused(422, f"target {shown!r} is none. Give {known} with a host, or /dev/videoN.") from None
    scheme = "" if kind == CAMERA else urlsplit(target).scheme
    if scheme and not speaks(scheme):
        remedy = "Send rtmp:// to a relay that does, such as MediaMTX."
        raise Refused(422, f"target {shown!r} is not possible: this PyAV does not speak {scheme}. {remedy}")
    lacking = [name for name in (kind, *CODECS[kind]) if not writes(name)]
    if lacking:
        raise Refused(422, f"target {shown!r} is not possible: this PyAV can not write {lacking[0]}. pip install av.")
    if kind == CAMERA and not _is_device(target):
        number = target.removeprefix("/dev/video")
        raise Refused(422, f"{shown}: no such camera. Make one: modprobe v4l2loopback video_nr={number}.")


def check_targets(targets: Sequence[str]) -> None:
    """Whether one session can be sent to all of these; Refused (422) as by `check_target`."""
    for number, target in enumerate(targets):
        check_target(target)
        if target in targets[:number]:
            raise Refused(422, f"target {hidden(target)!r} is given twice. Give it once.")
    if len(targets) > MOST:
        raise Refused(422, f"{len(targets)} targets are too many. Give {MOST} at most.")


@cache
def speaks(scheme: str) -> bool:
    """Whether this build of libav knows a protocol."""
    if scheme == "udp":  # part of every build, and to open it would wait for packets
        return True
    try:
        av.open(f"{scheme}://127.0.0.1:0/", timeout=1.0).close()  # nobody is at port 0, which is said at once
    except av.error.ProtocolNotFoundError:
        return False
    except (av.error.FFmpegError, OSError, ValueError):
        return True
    return True


@cache
def writes(name: str) -> bool:
    """Whether this build of libav has a container or an encoder."""
    if name in (CAMERA, *FORMATS.values()):
        try:
            return bool(av.ContainerFormat(name, "w").is_output)
        except ValueError:
            return False
    try:
        av.Codec(name, "w")
    except ValueError:
        return False
    return True


def _is_device(path: str) -> bool:
    try:
        return stat.S_ISCHR(Path(path).stat().st_mode)
    except OSError:
        return False


def hidden(target: str) -> str:
    """An address without what may be secret in it: user, path and key."""
    if target.startswith("/dev/"):
        return target[:60]
    try:
        parts = urlsplit(target)
    except ValueError:
        return "..."
    host = f"{parts.hostname or '?'}{f':{parts.port}' if _has_port(target) else ''}"
    return f"{parts.scheme}://{host}/..."[:100] if parts.scheme else "..."


def _has_port(target: str) -> bool:
    try:
        return urlsplit(target).port is not None
    except ValueError:
        return False
