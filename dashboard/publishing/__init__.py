"""The door through which other machines publish their runs to this app."""

from dashboard.publishing.endpoint import PUBLISH_PATH, PUBLISHING_ROUTES

__all__ = ["PUBLISHING_ROUTES", "PUBLISH_PATH"]
