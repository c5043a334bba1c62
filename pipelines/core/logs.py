"""The type of a log: Python's logger, or Prefect's of a run."""

from logging import Logger, LoggerAdapter

Log = Logger | LoggerAdapter[Logger]
