"""Engines: who holds the rows. The local one keeps them in this process."""
