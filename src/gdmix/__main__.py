"""``python -m gdmix``: the command line, as `torchrun` starts it."""

from gdmix.cli import main

if __name__ == "__main__":
    main()
