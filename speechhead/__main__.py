"""`python -m speechhead` is the command `speechhead`."""

from speechhead.cli.main import main

if __name__ == "__main__":
    main()
