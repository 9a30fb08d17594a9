"""The compact generator's pictures in torch: frames of several portraits at once, meant for a GPU."""
