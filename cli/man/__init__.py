"""The manual pages, made from the commands and the settings themselves."""
