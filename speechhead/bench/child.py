"""The process that measures one case: `python -m speechhead.bench.child CASE BEGUN`, one JSON object on stdout.

A process of its own, so that start-up and memory are those of this case. BEGUN is when it was started, in seconds of
the system's clock.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from speechhead.core.process import calm_blas, calm_opencv, keep_freed_pictures


def main(words: list[str]) -> None:
    """Measure, and tell."""
    keep_freed_pictures()
    calm_blas()
    calm_opencv()
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no result
    from speechhead.core.errors import SpeechheadError

    try:
        result = measured(json.loads(words[0]), float(words[1]))
    except SpeechheadError as error:
        json.dump({"error": " ".join(str(error).split())}, told)
    else:
        json.dump(dataclasses.asdict(result), told)
    told.close()


def measured(asked: dict[str, Any], begun: float) -> Any:
    """The result of a case, whose fields are asked for."""
    import speechhead.api  # noqa: F401  (what `say` imports)
    from speechhead.bench.case import BenchCase
    from speechhead.bench.subject import named_weights

    imported = time.time()
    case = BenchCase(**{**asked, "sessions": tuple(asked["sessions"])})
    with named_weights(case.generator) as (name, whose), tempfile.TemporaryDirectory() as folder:
        from speechhead.bench.whole import StartClock, measure

        begun += time.time() - imported  # weights of noise are no part of a start
        return measure(case, name, whose, StartClock(begun), Path(folder) / "bench.mp4")


if __name__ == "__main__":
    main(sys.argv[1:])
