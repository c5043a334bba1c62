"""Models, and their frozen parts."""
