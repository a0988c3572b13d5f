"""The errors of cx: one base, and what people catch besides.

Every error is a :class:`CxError` and also the builtin exception that fits, so that ``except
LookupError`` or ``except OSError`` works without knowing cx.
"""

from __future__ import annotations

import errno

__all__ = [
    "ConflictWarning",
    "CorruptStoreError",
    "CxError",
    "EncryptedStoreError",
    "ExistingFileError",
    "ForeignFileError",
    "InvalidArgumentError",
    "InvalidEventError",
    "MissingFileError",
    "NewerStoreError",
    "NoEncryptionError",
    "NotCompactedWarning",
    "NotFoundError",
    "ReadOnlyStoreError",
    "StoreClosedError",
    "StoreError",
    "StoreLockedError",
    "TableError",
    "TenantError",
    "UnencryptedStoreError",
    "WrongKeyError",
]


class CxError(Exception):
    """The base of every error that cx raises on purpose."""


class ConflictWarning(UserWarning):
    """What somebody said is recorded, and something stands against it.

    Attributes
    ----------
    assertion : str or None
        The id of what was said, as :meth:`Store.same` and its like return it.
    """

    def __init__(self, message: str, assertion: str | None = None) -> None:
        super().__init__(message)
        self.assertion = assertion


class NotCompactedWarning(UserWarning):
    """What was asked for is done, and the file could not be rewritten after it.

    Another process reads the file, or the disk is full. :meth:`Store.compact` does it later.

    Attributes
    ----------
    done : Fields or None
        What the method returns.
    """

    def __init__(self, message: str, done: object = None) -> None:
        super().__init__(message)
        self.done = done


class InvalidArgumentError(CxError, ValueError):
    """An argument has a value that cannot be meant.

    Attributes
    ----------
    argument : str or None
        The name of the argument.
    value : str or None
        What was given, as text.
    """

    def __init__(self, message: str, argument: str | None = None, value: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument
        self.value = value


class InvalidEventError(CxError, ValueError):
    """A record is not an event.

    Attributes
    ----------
    row : int or None
        Which record of those given, counted from 0.
    field : str or None
        The field or column, with slashes inside nested ones: ``"who/0/value"``.
    value : str or None
        What stands there, as text, shortened.
    """

    def __init__(
        self,
        message: str,
        row: int | None = None,
        field: str | None = None,
        value: str | None = None,
    ) -> None:
        super().__init__(message)
        self.row = row
        self.field = field
        self.value = value


class TableError(CxError, RuntimeError):
    """A table of another library could not be read: what makes it failed, or a type is unknown."""


class NotFoundError(CxError, LookupError):
    """What was asked for by its id or path is not there.

    A customer whom nobody knows is no error: see ``Context.match``.
    """


class StoreError(CxError, OSError):
    """A file could not be read or written: the store's own, or one to import.

    Attributes
    ----------
    path : str or None
        The file, where one is to blame; ``filename`` is the same.
    """

    _errno: int | None = None

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.filename = path
        self.errno = self._errno

    def __str__(self) -> str:
        # That of OSError tells the number and not what happened.
        return str(self.args[0])


class MissingFileError(StoreError, NotFoundError, FileNotFoundError):
    """There is no such file."""

    _errno = errno.ENOENT


class ExistingFileError(StoreError, FileExistsError):
    """A file stands where one was to be written. It was left as it is."""

    _errno = errno.EEXIST


class StoreClosedError(StoreError):
    """The store was closed before it was used."""


class StoreLockedError(StoreError):
    """Another process is writing to the file and did not finish in time."""


class ReadOnlyStoreError(StoreError):
    """The file, its folder or the way it was opened does not allow writing."""


class ForeignFileError(StoreError):
    """The file is not a store of cx. It was left as it is."""


class NewerStoreError(StoreError):
    """The file was written by a newer version of cx."""


class WrongKeyError(StoreError):
    """The file cannot be read with this key. It was left as it is."""


class EncryptedStoreError(StoreError):
    """The file is encrypted, and no key was given, or it is no store. It was left as it is."""


class UnencryptedStoreError(StoreError):
    """A key was given for a store that is not encrypted. It was left as it is."""


class NoEncryptionError(StoreError):
    """A key was given, and this build of cx cannot encrypt. Nothing was written."""


class CorruptStoreError(StoreError):
    """The file is damaged."""


class TenantError(StoreError):
    """The file belongs to another tenant."""
