"""Motion of the face and the head: edits of landmarks that make a portrait live."""
