"""Reports: one HTML page with its tables and charts."""
