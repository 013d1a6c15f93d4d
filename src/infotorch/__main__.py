"""`python -m infotorch`."""

from infotorch.commands.main import main

if __name__ == "__main__":
    main()
