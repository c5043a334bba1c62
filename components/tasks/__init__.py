"""What kinds of data there are: one file a kind."""
