"""Engines that run networks: onnxruntime on any machine, torch for training and GPUs."""
