"""``python -m skelgen``."""

from skelgen.cli import main

if __name__ == "__main__":
    main(prog_name="skelgen")
