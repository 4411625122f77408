"""What a command leaves behind: tables and JSON, progress, failures in words, the exit code."""
