"""What is said to a BMC for each operation, and what its answers mean. Blocking; one module for each part of it."""
