"""The door through which other machines publish their runs to this app."""

from dashboard.publishing.endpoint import PUBLISHING_ROUTES, is_publishing

__all__ = ["PUBLISHING_ROUTES", "is_publishing"]
