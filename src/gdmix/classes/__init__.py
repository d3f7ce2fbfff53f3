"""Tasks of several classes: rows with a score for each of them, of one network and nothing else."""
