"""The other commands, one module each, loaded when it is used."""
