"""The command line: options to arguments, errors to one line, progress to the terminal."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from speechhead.core.errors import SpeechheadError
from speechhead.core.process import calm_blas, keep_freed_pictures

from .terminal import progress as _progress
from .terminal import table as _table
from .weights import weights_app

app = typer.Typer(
    name="speechhead",
    help="One portrait and one voice in, a talking head out.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(weights_app, name="weights")
say_app = typer.Typer(name="python -m speechhead.say", add_completion=False, rich_markup_mode="rich")

Portrait = Annotated[
    str | None,
    typer.Option("--portrait", "-p", help="Picture, saved .avatar file, or name of a shipped one.", metavar="IMG"),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Video to write: mp4, m4v, mov or mkv.", metavar="FILE")]
Emotion = Annotated[
    str | None,
    typer.Option(
        help="happy, sad, surprised, afraid, angry, disgusted, neutral; with :0..1, mixed as in happy:0.6,afraid:0.2",
        metavar="NAME[:0..1]",
    ),
]
Generator = Annotated[
    str, typer.Option(help="compact, or fomm, face-vid2vid, dagan, liveportrait with imported weights.", metavar="NAME")
]
Engine = Annotated[str, typer.Option(help="auto, onnx or torch.", metavar="NAME")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.", metavar="NAME")]
Seed = Annotated[int, typer.Option(help="Of blinks, glances and head motion; equal seeds give equal videos.")]
Face = Annotated[
    int | None,
    typer.Option(help="Which face of the picture, 1 for the largest.", metavar="N"),
]
Head = Annotated[str, typer.Option(help="generated from the speech, or retained as in the portrait.", metavar="MODE")]
HeadAmplitude = Annotated[float, typer.Option(help="Size of the head's motion, 0..1.")]
Amplitude = Annotated[float, typer.Option(help="Size of the mouth's motion, 1..2.")]
Blinks = Annotated[float, typer.Option(help="Blinks per minute, 0..120.")]
LookAway = Annotated[float, typer.Option(help="Largest angle of glances in degrees, 0..20; 0 keeps eye contact.")]
Crop = Annotated[bool, typer.Option("--crop", help="Show the face crop, SIZE x SIZE, instead of the full picture.")]
Watermark = Annotated[
    str | None,
    typer.Option(help="Text to draw into the corner of the video.", metavar="TEXT"),
]


@say_app.command()
@app.command()
def say(
    text_or_wav: Annotated[str, typer.Argument(metavar="TEXT_OR_WAV", help="Text to speak, or a sound or video file.")],
    output: Output = Path("say.mp4"),
    portrait: Portrait = None,
    voice: Annotated[
        str | None,
        typer.Option(help="A name from `speechhead voices`; by default one that suits the portrait.", metavar="NAME"),
    ] = None,
    emotion: Emotion = None,
    size: Annotated[int, typer.Option(help="Largest side of the face in pixels, even, 64..2048.")] = 512,
    fps: Annotated[float, typer.Option(help="Frames per second, 1..60.")] = 25,
    generator: Generator = "compact",
    engine: Engine = "auto",
    device: Device = "auto",
    seed: Seed = 0,
    face: Face = None,
    head: Head = "generated",
    head_amplitude: HeadAmplitude = 1.0,
    amplitude: Amplitude = 1.4,
    blinks: Blinks = 6.0,
    look_away: LookAway = 20.0,
    crop: Crop = False,
    watermark: Watermark = None,
) -> None:
    """Make a portrait speak a text or a recording."""
    from speechhead.api import say as run

    controls = _controls(emotion, seed, head, head_amplitude, amplitude, blinks, look_away)
    with _progress() as progress:
        path = run(
            text_or_wav,
            output,
            portrait,
            voice,
            size=size,
            fps=fps,
            generator=generator,
            engine=engine,
            device=device,
            face=face,
            crop=crop,
            watermark=watermark,
            controls=controls,
            progress=progress,
        )
    print(path)


@app.command()
def render(
    source: Annotated[
        str, typer.Option("--source", "-s", help="Portrait, or video to lip-sync anew.", metavar="IMG_OR_VIDEO")
    ],
    audio: Annotated[Path, typer.Option("--audio", "-a", help="Sound or video file to speak.", metavar="WAV_OR_VIDEO")],
    output: Output = Path("render.mp4"),
    emotion: Emotion = None,
    size: Annotated[
        int | None,
        typer.Option(help="Largest side of the face in pixels; 512 for a portrait, as it is for a video."),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second, 1..60; 25 for a portrait, its own for a video."),
    ] = None,
    generator: Generator = "compact",
    engine: Engine = "auto",
    device: Device = "auto",
    seed: Seed = 0,
    face: Face = None,
    head: Head = "generated",
    head_amplitude: HeadAmplitude = 1.0,
    amplitude: Amplitude = 1.4,
    blinks: Blinks = 6.0,
    look_away: LookAway = 20.0,
    crop: Crop = False,
    watermark: Watermark = None,
) -> None:
    """Lip-sync a portrait, or a video with its own head motion, to a recording."""
    from speechhead.api import render as run

    controls = _controls(emotion, seed, head, head_amplitude, amplitude, blinks, look_away)
    with _progress() as progress:
        path = run(
            source,
            audio,
            output,
            size=size,
            fps=fps,
            generator=generator,
            engine=engine,
            device=device,
            face=face,
            crop=crop,
            watermark=watermark,
            controls=controls,
            progress=progress,
        )
    print(path)


@app.command()
def animate(
    source: Annotated[str, typer.Option("--source", "-s", help="Picture, or name of a shipped one.", metavar="IMG")],
    driver: Annotated[Path, typer.Option("--driver", "-d", help="Video of one face that moves.", metavar="VIDEO")],
    output: Output = Path("animate.mp4"),
    generator: Annotated[
        str,
        typer.Option(help="compact, fomm, face-vid2vid, dagan, liveportrait, or a name from weights.", metavar="NAME"),
    ] = "compact",
    weights: Annotated[
        Path | None, typer.Option(help="Weight file of the family; the imported one if not given.", metavar="FILE")
    ] = None,
    relative: Annotated[
        bool, typer.Option("--relative/--absolute", help="The driver's motion, or its own keypoints and face shape.")
    ] = True,
    adapt_scale: Annotated[bool, typer.Option(help="Scale relative motion to the size of the portrait's face.")] = True,
    find_best: Annotated[
        bool, typer.Option("--find-best", help="Relative motion starts from the frame most like the portrait.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Source and driver are square face crops already: use them as they are.")
    ] = False,
    yaw: Annotated[float, typer.Option(help="Degrees to turn the head on top; free view.")] = 0.0,
    pitch: Annotated[float, typer.Option(help="Likewise, up or down.")] = 0.0,
    roll: Annotated[float, typer.Option(help="Likewise, towards a shoulder.")] = 0.0,
    region: Annotated[
        str | None, typer.Option(help="What is driven: all, exp, pose, lip or eyes; liveportrait.", metavar="NAME")
    ] = None,
    multiplier: Annotated[float | None, typer.Option(help="Size of the motion; liveportrait.")] = None,
    stitching: Annotated[bool, typer.Option(help="Keep the shoulders in place; liveportrait.")] = True,
    size: Annotated[
        int | None, typer.Option(help="Largest side of the face in pixels; with --crop the side of the video.")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second, 1..60; the driver's own if not given.")] = None,
    engine: Engine = "auto",
    device: Device = "auto",
    batch: Annotated[int | None, typer.Option(help="Frames computed at once; by device if not given.", min=1)] = None,
    audio: Annotated[bool, typer.Option(help="Keep the driver's sound.")] = True,
    face: Face = None,
    crop: Crop = False,
    watermark: Watermark = None,
) -> None:
    """Move a portrait as the person in a video moves."""
    from speechhead.render.animate import animate as run
    from speechhead.render.puppets import Options

    extra = {"region": region, "multiplier": multiplier, "stitching": None if stitching else False}
    given = {name: value for name, value in extra.items() if value is not None}
    options = Options(relative, adapt_scale, yaw, pitch, roll, find_best, whole, given)
    with _progress() as progress:
        path = run(
            source,
            driver,
            output,
            generator,
            weights,
            options,
            size=size,
            fps=fps,
            engine=engine,
            device=device,
            audio=audio,
            crop=crop,
            face=face,
            batch=batch,
            watermark=watermark,
            progress=progress,
        )
    print(path)


@app.command()
def voices() -> None:
    """List the voices and whether they can speak on this machine."""
    from speechhead.tts import voices as known

    rows = []
    for voice in known():
        here = "yes" if voice.available else f"no: {voice.remedy}"
        rows.append((voice.name, voice.engine, voice.gender, voice.language, voice.licence, here))
    _table(("voice", "engine", "gender", "language", "licence", "on this machine"), rows)


@app.command()
def avatars() -> None:
    """List the portraits that ship with the library."""
    from speechhead.avatar.shipped import shipped

    _table(("name", "voice", "licence", "credit"), [(a.name, a.voice, a.licence, a.credit) for a in shipped().values()])


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen at; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 8080 by default.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the picture; by default the largest this machine draws in real time.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="Secret that every request must carry; seen in ps, so better --token-file.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File that holds the token.", metavar="FILE")] = None,
    origins: Annotated[
        list[str] | None,
        typer.Option("--origin", help="Page that may use the server, as https://example.org; may be repeated."),
    ] = None,
    stun: Annotated[list[str] | None, typer.Option(help="STUN server, as stun:host:3478; may be repeated.")] = None,
    turn: Annotated[list[str] | None, typer.Option(help="TURN server, as turn:host:3478; may be repeated.")] = None,
    turn_user: Annotated[str | None, typer.Option(help="Its user.")] = None,
    turn_password: Annotated[str | None, typer.Option(help="Its password; seen in ps.")] = None,
    turn_password_file: Annotated[Path | None, typer.Option(help="File that holds it.", metavar="FILE")] = None,
    udp_ports: Annotated[str | None, typer.Option(help="Ports for media, as 50000-50100.", metavar="A-B")] = None,
    public_ip: Annotated[str | None, typer.Option(help="Address to announce, behind one-to-one NAT.")] = None,
    max_sessions: Annotated[int | None, typer.Option(help="At a time; by default what the machine holds.")] = None,
) -> None:
    """Serve live avatars to browsers over WebRTC; see server/PROTOCOL.md. Options may be SPEECHHEAD_* variables."""
    given = dict(locals())
    try:
        from speechhead_server.core.config import from_environment
        from speechhead_server.http.serve import serve as run
    except ImportError as error:
        raise SpeechheadError(f"the server needs {error.name}. pip install 'speechhead[server]'.") from error
    run(from_environment({name: None if value == [] else value for name, value in given.items()}))


@app.command()
def doctor() -> None:
    """Show what works on this machine, and how fast."""
    from .doctor import report

    healthy = True
    for name, state, good in report():
        print(f"{name:<12} {state}")
        healthy &= good
    if not healthy:
        raise typer.Exit(1)


def _controls(
    emotion: str | None, seed: int, head: str, head_amplitude: float, amplitude: float, blinks: float, look_away: float
) -> Any:
    from speechhead.core.controls import Controls, parse_emotion

    return Controls(
        emotion=parse_emotion(emotion) if emotion is not None else {},
        mouth_amplitude=amplitude,
        blink_rate=blinks,
        look_away=look_away,
        head=head,
        head_amplitude=head_amplitude,
        seed=seed,
    )


def main() -> NoReturn:
    """The command `speechhead`."""
    _run(app, "speechhead")


def main_say() -> NoReturn:
    """The command `python -m speechhead.say`."""
    _run(say_app, "python -m speechhead.say")


def _run(application: typer.Typer, name: str) -> NoReturn:
    """Run an application; whatever is wrong with the input ends in one line on stderr and exit code 2."""
    # A terminated run unwinds like an interrupted one, so that no half-written file stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    keep_freed_pictures()
    calm_blas()
    notes = logging.StreamHandler(sys.stderr)
    notes.setFormatter(logging.Formatter("note: %(message)s"))
    logging.getLogger("speechhead").handlers = [notes]
    command = typer.main.get_command(application)
    try:
        code = command.main(args=sys.argv[1:], prog_name=name, standalone_mode=False)
        if code == 130:
            raise KeyboardInterrupt  # which some versions of typer turn into this code
        sys.exit(code if isinstance(code, int) else 0)
    except BrokenPipeError:  # `speechhead voices | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted, nothing written.", 130)
    except (SpeechheadError, OSError, MemoryError) as error:
        if os.environ.get("SPEECHHEAD_DEBUG"):
            raise
        _fail(str(error) or "not enough memory. Use a smaller picture or --size.", 2)
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # the help has been shown
            sys.exit(0)
        if hasattr(error, "format_message"):  # typer's own classes have moved between its versions
            _fail(f"{error.format_message()} Try '{name} --help'.", 2)
        if os.environ.get("SPEECHHEAD_DEBUG"):
            raise
        kind = type(error).__name__
        _fail(f"internal error, please report it: {kind}: {error} (SPEECHHEAD_DEBUG=1 shows more).", 1)


def _fail(message: str, code: int) -> NoReturn:
    print(" ".join(message.split()), file=sys.stderr, flush=True)
    if any(thread.name.startswith("speechhead") for thread in threading.enumerate()):
        os._exit(code)  # a voice that hangs must not turn the end into a crash
    sys.exit(code)


if __name__ == "__main__":
    main()
