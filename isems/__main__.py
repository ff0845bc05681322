"""`python -m isems` is `isems`."""

from isems.cli import main

if __name__ == "__main__":
    main(prog_name="isems")
