"""The three ways to make frames: a portrait speaks, a video speaks anew, a portrait follows a video."""
