"""Pure parts: they know tensors, and no file, tool, YAML or terminal."""
