"""The version of gdmix."""

__version__ = "0.1.0"
