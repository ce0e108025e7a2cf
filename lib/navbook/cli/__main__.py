"""`python -m navbook.cli`."""

from navbook.cli import main

main()
