"""What a model is judged by: its predictions of a split, and validation while it trains."""
