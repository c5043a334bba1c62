"""Methods that turn examples away before the forward pass."""
