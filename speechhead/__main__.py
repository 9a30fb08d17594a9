"""`python -m speechhead` is the command `speechhead`."""

import sys


def main() -> None:
    """The command `speechhead`; an interrupt is one line while its modules are still being loaded, too."""
    try:
        from speechhead.cli.main import main as run
    except KeyboardInterrupt:
        print("interrupted, nothing written.", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
