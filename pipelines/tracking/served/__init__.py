"""Code that MLflow stores beside a model and runs where it is served."""
