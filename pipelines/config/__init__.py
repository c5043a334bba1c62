"""params.yaml: read, checked, and resolved into plans."""
