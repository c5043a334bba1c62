"""Code that MLflow stores beside a model, to serve it by; it stands alone."""
