"""The plugin's project serves here too."""

from plugin.conftest import project, server

__all__ = ["project", "server"]
