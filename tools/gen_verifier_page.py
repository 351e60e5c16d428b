"""Write ``docs/verifier.md``: rejected programs, and what is printed of them.

Usage: python tools/gen_verifier_page.py [-o FILE]

As root, on the kernel that the page is to be made on, with cc and Debian's libbpf-dev.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.harness import verifier_page


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="output", type=Path, default=verifier_page.PAGE)
    output: Path = parser.parse_args().output
    with tempfile.TemporaryDirectory() as folder:
        text = verifier_page.page(verifier_page.build_oracle(Path(folder)))
    output.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
