"""Methods that choose before an epoch which examples it draws."""
