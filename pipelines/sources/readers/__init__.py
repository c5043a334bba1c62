"""Readers of tables in files: csv, tsv, JSON lines and parquet."""
