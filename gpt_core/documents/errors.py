"""The error of a file that cannot be read."""


class UnreadableError(Exception):
    """A file cannot be read; the message continues a sentence that begins with its name."""
