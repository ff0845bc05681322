"""ISEMS data collector: gathers, keeps and serves the measurements of solar-powered mesh nodes."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("isems-data-collector")
except PackageNotFoundError:  # a checkout set up with the requirements files only
    __version__ = "0.0.0+checkout"
