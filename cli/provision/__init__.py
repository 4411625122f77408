"""`castiron node deploy`, `hold`, `step` and the like: moving nodes, steering the work on them, and telling of it."""
