"""Still portraits to moving ones: a head model fitted to a photo, textured with it and drawn in any pose."""
