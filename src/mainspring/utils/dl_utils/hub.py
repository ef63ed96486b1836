"""MMEngine's path of what is loaded from the network."""

from mainspring.checkpoint.download import download_url, load_url

__all__ = ["download_url", "load_url"]
