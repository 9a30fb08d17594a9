"""The published families: FOMM, face-vid2vid, DaGAN, LivePortrait."""
