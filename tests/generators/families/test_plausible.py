"""A config with a number that no network has is one line, at once: nothing is built from it, and nothing hangs."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time

import pytest

torch = pytest.importorskip("torch")

from support.paths import ROOT  # noqa: E402
from support.small_families import PUBLISHED  # noqa: E402

from speechhead.core.errors import WeightsError  # noqa: E402
from speechhead.generators.checkpoints import shapes  # noqa: E402
from speechhead.generators.checkpoints.published import configure  # noqa: E402
from speechhead.generators.checkpoints.stored import config_from_json  # noqa: E402
from speechhead.generators.families import registry  # noqa: E402

HUGE = 10**9


def numbers(value, place=()):
    """The places of all numbers in what JSON made of a config."""
    if isinstance(value, dict | list | tuple):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(part, (*place, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place


def changed(data, place, value):
    """The same with another value at a place."""
    data = json.loads(json.dumps(data))
    part = data
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return data


def refused(name, config, said):
    with pytest.raises(WeightsError, match=said) as caught:
        shapes.skeleton(name, config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", registry.names())
def test_every_field_of_a_stored_config(name):
    config = registry.config_class(name).full_size()
    data = dataclasses.asdict(config)
    for place in numbers(data):
        refused(name, config_from_json(type(config), changed(data, place, HUGE)), f"{place[0]}.* is 1e\\+09, more than")
    refused(name, config_from_json(type(config), changed(data, ["image_size"], 8192)), "image_size is 8192, more than")


@pytest.mark.parametrize("name", registry.names())
def test_every_field_of_a_published_config(name):
    for place in numbers(PUBLISHED[name]["model_params"]):
        with pytest.raises(WeightsError, match=r" is 1e\+09, more than .*yaml\.$"):
            configure(name, {}, changed(PUBLISHED[name], ("model_params", *place), HUGE))


def test_what_is_absurd_only_as_a_whole_is_counted():
    config = registry.config_class("fomm").full_size()
    data, began = dataclasses.asdict(config), time.process_time()
    for place, value, said in (
        (("generator", "num_bottleneck_blocks"), 60_000, "5000 tensors"),
        (("kp_detector", "max_features"), 60_000, "built from it"),
        (("generator", "block_expansion"), 60_000, "numbers"),
        (("kp_detector", "scale_factor"), 1e-9, "scale 1e-09 is not within"),
    ):
        wide = changed(data, ("kp_detector", "block_expansion"), 30_000) if place[1] == "max_features" else data
        refused("fomm", config_from_json(type(config), changed(wide, place, value)), said)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("name", registry.names())
def test_shapes_are_told_without_numbers(name):
    state = shapes.skeleton(name, registry.config_class(name).full_size())
    assert sum(value.numel() for value in state.values() if value.device.type != "meta") < 1e5
    assert sum(value.numel() for value in state.values()) > 3e7


def test_shapes_need_no_compiler_of_torch():
    """It takes seconds to load, of every start."""
    code = (
        "import sys\nfrom speechhead.generators.checkpoints.shapes import skeleton\n"
        "from speechhead.generators.families import registry\n"
        "for name in registry.names(): skeleton(name, registry.config_class(name).full_size())\n"
        "print('torch' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.split() == ["True", "False"], done.stderr
