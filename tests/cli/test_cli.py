"""The commands as a user types them, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image
from support.fakes import speech_like
from support.paths import ROOT

from speechhead import __main__ as entry
from speechhead import __version__
from speechhead.audio import save_wav
from speechhead.core import weights


def command(*arguments, **options):
    options |= {"capture_output": True, "text": True, "check": False}
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run([sys.executable, "-m", *map(str, arguments)], env=environment, **options)


@pytest.mark.parametrize("module", ["speechhead.say", "speechhead"])
def test_help(module, tmp_path):
    done = command(module, "--help", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    words = ("--portrait", "--emotion", "--seed") if module == "speechhead.say" else ("render", "doctor", "weights")
    assert all(word in done.stdout for word in words)


def test_the_version_is_told(tmp_path):
    done = command("speechhead", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"speechhead {__version__}\n", "")


def test_mistakes_are_one_line_and_quick(tmp_path):
    for arguments in (("speechhead.say",), ("speechhead.say", ""), ("speechhead", "animat")):
        start = time.monotonic()
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
        assert time.monotonic() - start < 20
    assert os.listdir(tmp_path) == []


def test_an_error_while_the_voice_speaks_is_no_crash(tmp_path):
    pytest.importorskip("piper")
    Image.new("RGB", (300, 300), (90, 120, 150)).save(tmp_path / "none.png")
    text = "This sentence is so long that it is still being spoken when there turns out to be no face in the picture."
    done = command("speechhead.say", text, "--voice", "joe", "--portrait", "none.png", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr


def python(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, **options)


def test_a_module_is_no_function_and_a_function_no_module():
    code = "import sys, speechhead.say, speechhead.render, speechhead.cli.main, speechhead\n"
    code += "from speechhead.api import animate, render, say\n"
    code += "print(*map(callable, (say, render, animate, speechhead.say, speechhead.render)))\n"
    code += "print('onnxruntime' in sys.modules, 'speechhead_server' in sys.modules)"
    done = python(code, cwd=ROOT)
    assert done.stdout.split() == ["True"] * 3 + ["False"] * 2 + ["False"] * 2, done.stderr
    done = python("import speechhead\nspeechhead.animate", cwd=ROOT)
    assert "Its functions are in speechhead.api" in done.stderr


@pytest.mark.parametrize("module", ["uvicorn", "fastapi"])
def test_serve_without_its_extra_says_what_to_install(module):
    code = f"import sys; sys.modules[{module!r}] = None; sys.argv[1:] = ['serve']\n"
    done = python(code + "from speechhead.cli.main import main; main()", cwd=ROOT)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    assert f"the server needs {module}" in done.stderr and "pip install 'speechhead[server]'" in done.stderr


def test_a_command_from_above_that_does_not_load_is_told_in_one_line():
    code = "import sys; sys.modules['speechhead_server'] = None; sys.argv[1:] = ['serve', '--port', '1']\n"
    done = python(code + "from speechhead.cli.main import main; main()", cwd=ROOT)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "speechhead[server]" in done.stderr, done.stderr


@pytest.mark.skipif(not (weights.folder() / "speech2landmarks.onnx").is_file(), reason="weights are not here")
@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_killed_run_leaves_nothing(tmp_path, number):
    save_wav(tmp_path / "a.wav", speech_like(60))
    process = subprocess.Popen(
        [sys.executable, "-m", "speechhead.say", "a.wav"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    for _ in range(400):
        if len(os.listdir(tmp_path)) > 1:
            break
        time.sleep(0.1)
    assert any(name.endswith(".part") for name in os.listdir(tmp_path))
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode not in (0, 1) and "Traceback" not in err
    assert os.listdir(tmp_path) == ["a.wav"]


def test_an_interrupt_while_modules_load_is_one_line(monkeypatch, capsys):
    class Interrupted:
        def find_spec(self, name, path=None, target=None):
            if name == "speechhead.cli.main":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "speechhead.cli.main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 130 and capsys.readouterr().err == "interrupted, nothing written.\n"
