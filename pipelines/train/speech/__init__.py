"""Speech2Landmarks' trainer."""
