"""Setting up, and finding out what is wrong: `castiron init` and `castiron doctor`."""
