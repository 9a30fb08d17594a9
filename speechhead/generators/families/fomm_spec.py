"""FOMM to the rest of the library."""

from __future__ import annotations

from .spec import FamilySpec, PublishedWeights

SPEC = FamilySpec(
    name="fomm",
    model="speechhead.generators.families.fomm:Fomm",
    parts={"generator": "generator", "kp_detector": "kp_detector"},
    marks=("kp_detector",),
    published=PublishedWeights(
        "https://github.com/AliaksandrSiarohin/first-order-model", "MIT (code); see the page for data"
    ),
    # Siarohin et al., 2019, sup. mat. A.
    losses={"adversarial": 1.0, "equivariance_value": 10.0, "equivariance_jacobian": 10.0},
)
