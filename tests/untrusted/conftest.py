"""Provides the plugin's project fixture."""

from plugin.conftest import project, server

__all__ = ["project", "server"]
