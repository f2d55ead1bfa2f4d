"""`memberstaff` and `python -m memberstaff`."""

from memberstaff.cli import main

if __name__ == "__main__":
    main()
