"""`python -m speechhead` is the command `speechhead`."""

from .cli import main

if __name__ == "__main__":
    main()
