"""The compact face-vid2vid generator: networks, data, losses, trainer and export."""
