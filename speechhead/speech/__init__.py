"""Speech2Landmarks: sound to the motion of face landmarks (SPACE, section 3.1)."""
