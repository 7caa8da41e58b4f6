"""What is raised where a data set cannot be had."""


class DataError(RuntimeError):
    """A data set cannot be had; the message says from where it was tried and what to do."""
