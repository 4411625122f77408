"""What is written of a row that is on disk already: what has changed of it, in few calls."""
