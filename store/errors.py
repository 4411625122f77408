"""What can go wrong in the store. Internal: actors translate these; they never cross the wire."""


class StoreError(Exception):
    """Base of the store's errors."""


class StoreUnusable(StoreError):
    """The file cannot be used at all: not ours, newer than this program, locked by another conductor, unreadable.

    The message names the file and says what to do.
    """


class StoreUnwritable(StoreError):
    """A commit failed for want of space or writability (disk full, read-only, I/O error). Nothing of it was written."""


class StaleRevision(StoreError):
    """The row is not the one that the change was made from; nothing of this change was written."""


class DuplicateNode(StoreError):
    """A node with that uuid or name exists; nothing of this change was written."""


class StaleAllocation(StoreError):
    """The allocation has been changed or removed since it was read; nothing of this change was written."""


class DuplicateAllocation(StoreError):
    """An allocation with that uuid or name exists, or another has the node; nothing of this change was written."""


class UnstorableValue(StoreError):
    """The change holds a value that no store could keep (a type that is not the wire's); nothing of it was written."""


class StoreClosed(StoreError):
    """The writer has stopped; nothing was written."""


class SecretsUnreadable(StoreError):
    """The key file is missing, too open, or not the one that the secrets were encrypted with."""
