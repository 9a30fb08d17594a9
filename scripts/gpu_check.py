"""Parts of gpu_check.sh that are easier said in Python: `python scripts/gpu_check.py config|progress|table ...`.

config NAME CLIPS OUTPUT DEVICE   a training config of pipelines/configs/ that needs nothing but clips
progress OUTPUT                   first and last line of a training's log, and the steps in a second
table OUT WORK                    a page in Markdown of what the steps have left in OUT, and their tables in WORK
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).parents[1] / "pipelines" / "configs"

MARKS = ("<!-- bench -->", "<!-- /bench -->")
"""Markers of the pages that `speechhead bench --markdown` fills."""


def config(name: str, clips: str, output: str, device: str) -> str:
    """A shipped config, for these clips. Pixels alone are compared, from the first step on: the perceptual network's
    file is nowhere here, and steps that guide keypoints before cost less."""
    values = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    values |= {"clips": clips, "cache": f"{output}/cache", "output": output, "device": device}
    values |= {"perceptual": "pixels", "losses": {"perceptual": 0, "pixels": 10}, "pictures_after": 0, "taught": 0.0}
    return json.dumps(values | {"log_every": 5, "save_every": 100_000, "sheet_every": 100_000}, indent=1)


def progress(output: str) -> str:
    """How a training went, by its log."""
    lines = [json.loads(line) for line in (Path(output) / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    first, last = lines[0], lines[-1]
    # The first steps choose their kernels, so they are left out where there are others.
    done, spent = (last[name] - (first[name] if len(lines) > 1 else 0) for name in ("step", "seconds"))
    return json.dumps({"first": first, "last": last, "steps_per_second": round(done / max(spent, 1e-3), 3)})


def table(out: str, work: str) -> str:
    """All results on one page; of a step that left nothing it says so."""
    parts = [_machine(_read(out, "doctor.json")), _parity(Path(out) / "parity.jsonl")]
    for name in ("compact.md", "families.md"):
        page = Path(work) / name
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        for mark in MARKS:
            text = text.replace(mark, "")
        parts.append(text.strip() or f"{name.removesuffix('.md')}: not measured.")
    return "\n\n".join([*parts, _serve(_read(out, "serve.json")), _train(_read(out, "train.json"))])


def _read(out: str, name: str) -> Any:
    """A JSON file, or None where there is none, or a half one."""
    try:
        return json.loads((Path(out) / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _machine(doctor: Any) -> str:
    if doctor is None:
        return "Machine: the doctor said nothing."
    told = [f"{name}: {doctor[name]['state']}" for name in ("gpus", "torch", "onnxruntime", "nvenc", "networks")]
    return "\n".join(f"- {line}" for line in told)


def _parity(path: Path) -> str:
    """How many arrays agree, and the largest difference in parts of an array's largest number."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    if not lines:
        return "Parity: not measured."
    known = [line for line in lines if line["max_abs_diff"] is not None]
    parts = {line["array"]: line["max_abs_diff"] / max(line["max_abs_ref"] or 0, 1e-9) for line in known}
    worst = max(parts, key=lambda name: parts[name])
    missing = len(lines) - len(known)
    return f"Parity: {len(known)} arrays, {missing} missing; the largest difference is {parts[worst]:.1e} ({worst})."


def _serve(told: Any) -> str:
    if not told or not told.get("sessions"):
        return "Live sessions: not measured."
    names = ("sessions", "fps_least", "fps_median", "left_out", "draw_ms")
    rows = ["| " + " | ".join(f"{one[name]:g}" for name in names) + " |" for one in told["sessions"]]
    head = "| sessions | least pictures/s | median | left out | ms a picture |"
    return "\n".join(["**Live sessions, watched over WebRTC**", "", head, "|--:|--:|--:|--:|--:|", *rows])


def _train(told: Any) -> str:
    if told is None:
        return "Training: not measured."
    first, last = told["first"], told["last"]
    losses = [name for name in first if name not in ("step", "seconds", "rate") and name in last]
    fell = ", ".join(f"{name} {first[name]:.3g} to {last[name]:.3g}" for name in losses[:4])
    return f"Training: {last['step']} steps in {last['seconds']:.0f} s, {told['steps_per_second']} a second; {fell}."


if __name__ == "__main__":
    print({"config": config, "progress": progress, "table": table}[sys.argv[1]](*sys.argv[2:]))
