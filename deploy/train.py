"""What `spark-submit` starts: `gdmix train` with the master that spark-submit names.

spark-submit ... deploy/train.py config.yaml [--set option=value ...]
"""

import sys

from gdmix.cli import main

sys.argv[1:] = ["train", *sys.argv[1:], "--engine", "spark"]
main()
