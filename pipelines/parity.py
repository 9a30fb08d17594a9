"""`python -m pipelines.parity DIR`: the torch families against recordings of the published implementations."""

from __future__ import annotations

from pipelines.judge.parity.__main__ import main

if __name__ == "__main__":
    main()
