"""Dockerfile, compose file and the deployment guide agree with the server and with each other."""

from __future__ import annotations

import dataclasses
import http.server
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from speechhead_server.core.config import ENVIRONMENT, SECRETS, ServerSettings, from_environment
from speechhead_server.core.redaction import DEBUG
from support.paths import ROOT

from speechhead.core import weights

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
COPIED = " ".join(re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)).split()
GUIDE = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
FILES = {f"{ENVIRONMENT}{name.upper()}_FILE" for name in SECRETS}
OTHERS = {"SPEECHHEAD_BIND", "SPEECHHEAD_WEIGHTS", weights.USER_FOLDER, DEBUG}
FIELDS = {ENVIRONMENT + field.name.upper() for field in dataclasses.fields(ServerSettings)}


def instruction(name):
    """Arguments of the last instruction of a kind in the Dockerfile."""
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)[-1]


@pytest.fixture(scope="module")
def compose():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def image_environment():
    return dict(pair.split("=", 1) for pair in instruction("ENV").split())


def test_the_image_starts_a_server_that_can_be_reached():
    from typer.main import get_command

    from speechhead.cli.main import app

    program, *arguments = json.loads(instruction("CMD"))
    assert program == "speechhead"
    command, (name, *rest) = get_command(app), arguments
    command.get_command(None, name).make_context(name, rest)  # parses its options, runs nothing

    settings = from_environment({}, image_environment())
    assert settings.host == "0.0.0.0" and not settings.local_only
    assert settings.port == ServerSettings().port
    first, last = settings.udp_ports
    assert instruction("EXPOSE").split() == [f"{settings.port}/tcp", f"{first}-{last}/udp"]


def test_the_image_has_what_it_copies_and_drops_root():
    assert all((ROOT / path).exists() for path in COPIED)
    assert {f"!{path}" for path in COPIED} <= set((ROOT / ".dockerignore").read_text(encoding="utf-8").split())
    assert instruction("USER") not in ("root", "0")
    assert DOCKERFILE.index("\nUSER ") < DOCKERFILE.index("\nCMD ")


def test_the_image_builds_the_wheel_of_all_that_goes_into_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    parts = [*wheel["packages"], *wheel["force-include"], *project["project"]["license-files"]]
    for part in map(Path, [*parts, project["project"]["readme"]]):
        assert any(part == path or path in part.parents for path in map(Path, COPIED)), part
    assert re.search(r'pip install [^\n]*"\.\[\$\{EXTRAS\}\]"', DOCKERFILE)
    assert DOCKERFILE.index("\nARG EXTRAS=") < DOCKERFILE.index("\nRUN python -m venv")
    (extra,) = instruction("ARG").removeprefix("EXTRAS=").split(",")
    assert extra in project["project"]["optional-dependencies"]


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_tells_a_server_from_one_that_shuts_down(status, healthy):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        program, *arguments = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
        assert program == "python"
        environment = {"SPEECHHEAD_PORT": str(host.server_port)}
        done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, timeout=20)
        host.shutdown()
    assert (done.returncode == 0) is healthy


def default(value):
    """What compose makes of ${NAME:-default}; a variable that must be given becomes an address."""
    value = re.sub(r"\$\{\w+:\?[^}]*\}", "203.0.113.7", str(value))
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def test_compose_sets_what_the_server_knows(compose):
    service = compose["services"]["speechhead"]
    given = {name: default(value) for name, value in service["environment"].items()}
    ours = {name for name in given if name.startswith(ENVIRONMENT)}
    assert ours <= FIELDS and set(given) - ours == {"FORWARDED_ALLOW_IPS"}
    settings = from_environment({}, {**image_environment(), **given})
    assert settings.public_ip == "203.0.113.7" and settings.token == "" and settings.max_sessions is None


def test_compose_publishes_the_ports_that_are_used(compose):
    service = compose["services"]["speechhead"]
    settings = from_environment(
        {}, {**image_environment(), "SPEECHHEAD_UDP_PORTS": service["environment"]["SPEECHHEAD_UDP_PORTS"]}
    )
    first, last = settings.udp_ports
    tcp, udp = (default(port) for port in service["ports"])
    assert tcp == f"127.0.0.1:{settings.port}:{settings.port}/tcp"
    assert udp == f"{first}-{last}:{first}-{last}/udp"  # announced as they are, so the numbers must be the same outside


def test_compose_has_a_form_with_a_gpu(compose):
    yaml = pytest.importorskip("yaml")
    over = yaml.safe_load((ROOT / "compose.gpu.yaml").read_text(encoding="utf-8"))["services"]
    assert over.keys() == {"speechhead"}  # the rest of it is compose.yaml's
    service, base = over["speechhead"], compose["services"]["speechhead"]
    extras = service["build"]["args"]["EXTRAS"].split(",")
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert extras == ["server", "gpu"] and set(extras) <= set(known)
    assert any(package.startswith("torch>") for package in known["gpu"])
    assert service["image"] != base["image"]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia" and "gpu" in device["capabilities"]
    (volume,) = map(default, service["volumes"])
    assert volume.endswith(f":{service['environment'][weights.USER_FOLDER]}:ro")
    given = {"SPEECHHEAD_GENERATORS": "liveportrait,compact", "SPEECHHEAD_DEVICE": "cuda", "SPEECHHEAD_ENGINE": ""}
    assert given.keys() <= base["environment"].keys()
    settings = from_environment({}, {**image_environment(), **given})
    assert settings.generators == ("liveportrait", "compact")
    assert (settings.device, settings.engine) == ("cuda", "auto")


def test_the_relay_is_an_option_beside_the_servers_ports(compose):
    relay = compose["services"]["turn"]
    assert relay["profiles"] == ["turn"] and "speechhead" not in compose["services"]["speechhead"].get("profiles", [])
    options = dict(option[2:].partition("=")[::2] for option in relay["command"])
    first, last = from_environment({}, image_environment()).udp_ports
    assert not set(range(int(options["min-port"]), int(options["max-port"]) + 1)) & set(range(first, last + 1))
    assert options["user"] == "${SPEECHHEAD_TURN_USER:-}:${SPEECHHEAD_TURN_PASSWORD:-}"
    ServerSettings(turn=(f"turn:203.0.113.7:{options['listening-port']}",), turn_user="a", turn_password="b")


def test_the_guide_names_settings_options_metrics_and_paths_that_exist():
    from speechhead_server.core.metrics import Metrics
    from typer.main import get_command

    from speechhead.cli.main import app

    assert set(re.findall(r"SPEECHHEAD_[A-Z_]+", GUIDE)) - OTHERS <= FIELDS | FILES
    known = {option for parameter in get_command(app).get_command(None, "serve").params for option in parameter.opts}
    used = set(re.findall(r"(?<=speechhead serve)[^\n`]*", GUIDE))
    assert {option for line in used for option in re.findall(r"--[a-z][a-z-]*", line)} <= known | {"--help"}
    families = set(re.findall(r"# TYPE (\w+)", Metrics().text().decode()))
    names = set(re.findall(r"\bspeechhead_(?!server\b)\w+", GUIDE))
    assert {name.removesuffix("_bucket").removesuffix("_count") for name in names} <= families
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", GUIDE):
        assert (ROOT / "docs" / target).exists(), target
