"""`python -m speechhead.say TEXT_OR_WAV`: a portrait speaks. The function for Python is `speechhead.api.say`."""

from speechhead.cli.main import main_say

if __name__ == "__main__":
    main_say()
