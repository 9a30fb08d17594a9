"""Speech to landmark motion: windowed encoders and the recurrent network after them."""
