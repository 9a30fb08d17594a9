"""What judges weights: the evaluation, its pictures, parity with published code."""
