"""What a run cost and saved, as arithmetic."""
