"""What builds and judges the weights: data preparation, trainers, evaluation, export, conversion."""
