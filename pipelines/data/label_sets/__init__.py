"""Tasks whose examples have any number of classes: reading their labels, and settling them."""
