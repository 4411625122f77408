"""`python -m castiron` is the `castiron` command."""

from castiron.cli.main import main

if __name__ == "__main__":
    main()
