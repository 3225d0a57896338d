"""Why a file cannot be read."""


class UnreadableError(Exception):
    """Why a file cannot be read, to go on after its name."""
