"""Tensor arithmetic: selection, training, evaluation, costs. No file, tool, YAML or terminal."""
