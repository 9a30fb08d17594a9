"""What networks run on: onnxruntime and torch."""
