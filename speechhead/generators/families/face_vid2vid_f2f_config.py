"""Configuration of face-vid2vid as zhengkw18 published it: the arguments of its five networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class F2FAppearanceConfig:
    """Arguments of the published `AFE`."""

    use_weight_norm: bool = False
    down_seq: tuple[int, ...] = (64, 128, 256)
    n_res: int = 6
    C: int = 32
    D: int = 16


@dataclass(frozen=True)
class F2FKeypointConfig:
    """Arguments of the published `CKD`."""

    use_weight_norm: bool = False
    down_seq: tuple[int, ...] = (3, 64, 128, 256, 512, 1024)
    up_seq: tuple[int, ...] = (1024, 512, 256, 128, 64, 32)
    D: int = 16
    K: int = 15
    scale_factor: float = 0.25


@dataclass(frozen=True)
class F2FHeadConfig:
    """Arguments of the published `HPE_EDE`."""

    use_weight_norm: bool = False
    n_filters: tuple[int, ...] = (64, 256, 512, 1024, 2048)
    n_blocks: tuple[int, ...] = (3, 3, 5, 2)
    n_bins: int = 66
    K: int = 15


@dataclass(frozen=True)
class MotionConfig:
    """Arguments of the published `MFE`; `down_seq[0]` is (K + 1) (C2 + 1)."""

    use_weight_norm: bool = False
    down_seq: tuple[int, ...] = (80, 64, 128, 256, 512, 1024)
    up_seq: tuple[int, ...] = (1024, 512, 256, 128, 64, 32)
    K: int = 15
    D: int = 16
    C1: int = 32
    C2: int = 4


@dataclass(frozen=True)
class F2FGeneratorConfig:
    """Arguments of the published `Generator`."""

    use_weight_norm: bool = True
    n_res: int = 6
    up_seq: tuple[int, ...] = (256, 128, 64)
    D: int = 16
    C: int = 32


@dataclass(frozen=True)
class FaceVid2VidF2FConfig:
    """What rebuilds it: the arguments of its five networks, by their published names."""

    afe: F2FAppearanceConfig = field(default_factory=F2FAppearanceConfig)
    ckd: F2FKeypointConfig = field(default_factory=F2FKeypointConfig)
    hpe_ede: F2FHeadConfig = field(default_factory=F2FHeadConfig)
    mfe: MotionConfig = field(default_factory=MotionConfig)
    generator: F2FGeneratorConfig = field(default_factory=F2FGeneratorConfig)
    image_size: int = 256

    @classmethod
    def full_size(cls) -> FaceVid2VidF2FConfig:
        """The published defaults."""
        return cls()

    @classmethod
    def from_published(cls, published: Mapping[str, Any]) -> FaceVid2VidF2FConfig:
        """From the networks' arguments, by network, themselves or as `model_params`.

        Raises
        ------
        KeyError if a network is missing.
        """
        params = published.get("model_params", published)

        def read(kind: Callable[..., Any], name: str) -> Any:
            return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in params[name].items()})

        return cls(
            afe=read(F2FAppearanceConfig, "afe"),
            ckd=read(F2FKeypointConfig, "ckd"),
            hpe_ede=read(F2FHeadConfig, "hpe_ede"),
            mfe=read(MotionConfig, "mfe"),
            generator=read(F2FGeneratorConfig, "generator"),
        )
