"""`python -m infotorch` is the command line."""

from infotorch.cli import main

if __name__ == "__main__":
    main()
