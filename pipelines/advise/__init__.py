"""make advise: a method and its settings, proposed from cheap trials."""
