"""Cases, the process that measures one, and what is told of it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.paths import ROOT
from typer.testing import CliRunner

from speechhead.bench import child, run, whole
from speechhead.bench.case import BenchCase, BenchOptions, CaseResult, NetworkCost, SessionRate, StageTime
from speechhead.bench.report import markdown, summary, tables, write_into
from speechhead.bench.run import BenchReport, bench, machine, result_of
from speechhead.bench.subject import named_weights
from speechhead.cli.main import app
from speechhead.core.errors import ControlError, DeviceError, ImageError, MediaError, WeightsError

RESULT = CaseResult(
    case=BenchCase(size=256, sessions=(1, 4), seconds=3600.0),
    weights="own",
    device="cpu",
    running="onnxruntime",
    drawn=2.0,
    startup={"import": 0.9, "load": 0.2, "first_frame": 1.9},
    stages=(StageTime("draw", 1.0, 20.0, 30.0, 21.0, 0.95), StageTime("other", 1.0, 1.1, 1.1, 1.1, 0.05)),
    accounted=0.95,
    frames_per_second=50.0,
    realtime=2.0,
    track=6.5,
    sessions=(SessionRate(1, 41.3, False), SessionRate(4, 160.0, True)),
    networks=(NetworkCost("compact, windows", 1_290_912, 0.4825, 6.7),),
    memory=240.0,
    plain=45.0,
    notes=("a note",),
)


def test_cases_check_themselves() -> None:
    made = BenchOptions(generator="compact, fomm", device="cpu", precision="fp32", runs=1).cases
    assert {(case.precision, case.runs) for case in made} == {("fp32", 1)}
    assert [(case.generator, case.size) for case in made] == [
        ("compact", 256), ("compact", 512), ("fomm", 256), ("fomm", 512)
    ]  # fmt: skip
    for wrong, kind in (
        ({"seconds": 0.1}, ControlError), ({"seconds": 4000}, ControlError), ({"runs": 0}, ControlError),
        ({"sessions": (0,)}, ControlError), ({"sessions": ()}, ControlError), ({"size": 33}, ImageError),
        ({"device": "tpu"}, DeviceError), ({"engine": "steam"}, DeviceError),
    ):  # fmt: skip
        with pytest.raises(kind):
            BenchCase(**wrong)


def test_long_speech_is_sampled_and_its_length_is_told() -> None:
    assert RESULT.case.sample(0.04) == 2.0 and BenchCase(seconds=1.5).sample(0.04) == 1.5
    assert RESULT.case.sample(1.0) == pytest.approx(0.32) and RESULT.case.sample(60.0) == 0.2, "less of what is slow"
    assert RESULT.whole == pytest.approx(1.9 + 1800)
    record = BenchReport(machine(), (RESULT,)).record["results"][0]
    assert (record["drawn"], record["whole"]) == (2.0, RESULT.whole)
    assert "2 of 3600" in markdown(BenchReport(machine(), (RESULT,)), "speechhead bench")


def test_a_result_survives_its_way_out_of_the_process() -> None:
    assert result_of(json.loads(json.dumps(dataclasses.asdict(RESULT)))) == RESULT


def test_the_page_documents_every_field_of_the_record() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    record = BenchReport(machine(), (RESULT,)).record
    (result,) = record["results"]
    told = [*record, *record["machine"], *result, *result["case"], *result["stages"][0], *result["sessions"][0]]
    assert [name for name in [*told, *result["networks"][0]] if f"`{name}`" not in page] == []


def test_tables_for_a_page(tmp_path: Path) -> None:
    report = BenchReport({**machine(), "gpu": "NVIDIA L4"}, (RESULT, dataclasses.replace(RESULT, weights="random")))
    text = markdown(report, "speechhead bench --size 256")
    assert "| compact, 256 px, cpu | 4 | 160.0 | 40.0 | yes | one call |" in text
    assert "| drawing, the rest | 1.00 | 20.00 | 30.00 | 21.00 | 95% |" in text and "- a note" in text
    assert "(random weights)" in text and "NVIDIA L4" in summary(report)
    for load, said in (
        (0.1, "Load before it began: 0.10."),
        (9.0, "9.00; others ran beside it"),
        (None, "onnxruntime"),
    ):
        told = summary(dataclasses.replace(report, machine={**report.machine, "cores": 2, "load": load}))
        assert said in told and told.endswith(".")
    assert sum(table.title.startswith("Networks") for table in tables(report)) == 1
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- bench -->\nold\n<!-- /bench -->\nend\n")
    assert write_into(page, text) == page and "old" not in page.read_text()
    assert page.read_text().startswith("# Page\n<!-- bench -->\n") and page.read_text().endswith(
        "<!-- /bench -->\nend\n"
    )
    page.write_text("# Page\n")
    with pytest.raises(MediaError, match="has no lines"):
        write_into(page, text)
    with pytest.raises(MediaError, match="can not be read"):
        write_into(tmp_path / "absent.md", text)


def test_the_command_prints_tables_json_or_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[BenchCase] = []

    def one(case: BenchCase) -> CaseResult:
        asked.append(case)
        return dataclasses.replace(RESULT, case=case)

    monkeypatch.setattr(run, "one", one)
    done = CliRunner().invoke(app, ["bench", "--size", "256,384", "--sessions", "1,4", "--seconds", "30"])
    assert done.exit_code == 0 and [case.size for case in asked] == [256, 384] and asked[0].sessions == (1, 4)
    assert "speaking" in done.output.lower() and "drawing, the rest" in done.output and "a note" in done.output
    done = CliRunner().invoke(app, ["bench", "--json", "--generator", "fomm", "--device", "cpu"])
    told = json.loads(done.stdout)
    assert told["format"] == "speechhead bench 1" and told["results"][0]["case"]["generator"] == "fomm"
    page = tmp_path / "page.md"
    page.write_text("<!-- bench -->\n<!-- /bench -->\n")
    done = CliRunner().invoke(app, ["bench", "--markdown", str(page)])
    assert done.exit_code == 0 and "**Speaking**" in page.read_text()
    for words in (["--size", "big"], ["--sessions", ","], ["--runs", "0"]):
        refused = CliRunner().invoke(app, ["bench", *words])
        assert refused.exit_code != 0 and isinstance(refused.exception, ControlError)


def test_names_and_pages_are_checked_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "one", lambda case: pytest.fail(f"measured {case}"))
    for words, kind, said in (
        (["--generator", "compact,nothing"], WeightsError, "'nothing' is unknown. Use one of compact"),
        (["--generator", "nowhere.safetensors"], WeightsError, "nowhere.safetensors: no such weight file"),
        (["--generator", " , "], ControlError, "names nothing"),
        (["--device", ","], ControlError, "names nothing"),
        (["--markdown", str(tmp_path / "absent.md")], MediaError, "can not be read"),
    ):
        refused = CliRunner().invoke(app, ["bench", *words])
        assert isinstance(refused.exception, kind) and said in str(refused.exception), words


def instead(monkeypatch: pytest.MonkeyPatch, called: Any) -> None:
    """Call this where a process would be run: in this module alone, for Python's own runs some too."""
    monkeypatch.setattr(run, "subprocess", SimpleNamespace(run=called, TimeoutExpired=subprocess.TimeoutExpired))


def answered(monkeypatch: pytest.MonkeyPatch, out: str, err: str = "", code: int = 0) -> None:
    instead(monkeypatch, lambda *_, **__: SimpleNamespace(stdout=out, stderr=err, returncode=code))


def test_a_process_that_fails_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, json.dumps({"error": "device 'cuda': no GPU here."}))
    with pytest.raises(DeviceError, match="no GPU here"):
        bench([BenchCase()])
    told = [json.dumps({"error": "device 'cuda': no GPU here."}), json.dumps(dataclasses.asdict(RESULT))]
    told.insert(0, "")  # the driver lists no GPU
    instead(monkeypatch, lambda *_, **__: SimpleNamespace(stdout=told.pop(0), stderr="", returncode=0))
    report = bench([BenchCase(device="cuda"), BenchCase()])
    assert report.results == (RESULT,) and report.failed == ("device 'cuda': no GPU here.",)
    assert report.record["failed"] == list(report.failed) and report.notes == (*report.failed, "a note")
    answered(monkeypatch, "", "Traceback\nMemoryError", 1)
    with pytest.raises(DeviceError, match=r"died \(MemoryError\)"):
        bench([BenchCase()])
    answered(monkeypatch, "", "", -9)
    with pytest.raises(DeviceError, match="exit code -9"):
        bench([BenchCase()])

    def late(*words: object, **named: object) -> None:
        raise subprocess.TimeoutExpired("bench", 1)

    instead(monkeypatch, late)
    with pytest.raises(DeviceError, match="less --seconds"):
        bench([BenchCase()])
    assert machine()["gpu"] is None


def test_a_case_is_measured_from_start_to_end(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of it, in this process, as the child does it; the process itself is another's test."""
    monkeypatch.setattr(whole, "shipped", list)
    asked = dataclasses.asdict(BenchCase(size=128, seconds=1.0, runs=1))
    result = child.measured({**asked, "sessions": [1]}, time.time() - 0.5)
    assert result.weights == "own" and result.device == "cpu" and result.memory > 50 and result.track > 0
    assert result.startup["import"] >= 0.5 and result.startup["first_frame"] >= 0.5
    assert {"encoder", "speech2landmarks", "latents", "warps", "networks", "composite"} <= {
        stage.name for stage in result.stages
    }
    assert result.accounted > 0.8 and result.frames_per_second > 0 and result.sessions[0].frames_per_second > 0
    assert result.plain is not None or result.notes


def test_what_can_not_be_counted_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: object) -> None:
        raise RuntimeError("CUDA out of memory")

    for name, made in (("family_cost", full), ("open_generator", full), ("shipped", list)):
        monkeypatch.setattr(whole, name, made)
    networks, notes = whole._costs(SimpleNamespace(family="fomm"))
    assert networks == [] and "fomm are not counted: CUDA out of memory" in notes[0]
    avatar = SimpleNamespace(size=64)
    plain, notes = whole._plain(BenchCase(size=64), "compact", avatar, None)
    assert plain is None and "CUDA out of memory" in notes[0]


@pytest.mark.slow
def test_the_process_prints_one_object() -> None:
    result = run.one(BenchCase(size=128, seconds=1.0, runs=1))
    assert result.case.size == 128 and 0.5 < result.startup["first_frame"] < 60


def test_what_a_case_can_not_have_is_said_in_its_answer(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WeightsError), named_weights("no-such-family"):
        pass


def test_a_family_without_weights_is_measured_with_noise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from support.small_families import small

    from speechhead.generators.checkpoints.imported import find_latents
    from speechhead.generators.families import registry

    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path))
    kind = type(small("fomm").config)
    config = small("fomm").config
    monkeypatch.setattr(kind, "full_size", classmethod(lambda cls: config))
    assert registry.config_class("fomm") is kind
    with named_weights("fomm") as (name, whose):
        assert whose == "random" and Path(name).is_file() and find_latents(name).is_file()
    assert not Path(name).exists()
    with named_weights("compact") as found:
        assert found == ("compact", "own")
