"""Who is this, and what do we already know.

cx keeps what customers did and said on every channel in one file, and answers about any of them
with everything that is known, how it is known, and since when.
"""

from __future__ import annotations

from collections.abc import Mapping

from cxcontext._native import (
    CheckReport,
    Context,
    Event,
    Events,
    Explanation,
    Fields,
    Frame,
    Hit,
    IngestReport,
    Linkage,
    LinkModel,
    Scan,
    Store,
    Tenants,
    Transcript,
    __version__,
    link,
    open,  # noqa: A004
)
from cxcontext.exceptions import (
    ConflictWarning,
    CorruptStoreError,
    CxError,
    EncryptedStoreError,
    ExistingFileError,
    ForeignFileError,
    InvalidArgumentError,
    InvalidEventError,
    MissingFileError,
    NewerStoreError,
    NoEncryptionError,
    NotCompactedWarning,
    NotFoundError,
    ReadOnlyStoreError,
    StoreClosedError,
    StoreError,
    StoreLockedError,
    TableError,
    TenantError,
    UnencryptedStoreError,
    WrongKeyError,
)

# Other libraries take for a row what is a mapping.
Mapping.register(Fields)

__all__ = [
    "CheckReport",
    "ConflictWarning",
    "Context",
    "CorruptStoreError",
    "CxError",
    "EncryptedStoreError",
    "Event",
    "Events",
    "ExistingFileError",
    "Explanation",
    "Fields",
    "ForeignFileError",
    "Frame",
    "Hit",
    "IngestReport",
    "InvalidArgumentError",
    "InvalidEventError",
    "LinkModel",
    "Linkage",
    "MissingFileError",
    "NewerStoreError",
    "NoEncryptionError",
    "NotCompactedWarning",
    "NotFoundError",
    "ReadOnlyStoreError",
    "Scan",
    "Store",
    "StoreClosedError",
    "StoreError",
    "StoreLockedError",
    "TableError",
    "TenantError",
    "Tenants",
    "Transcript",
    "UnencryptedStoreError",
    "WrongKeyError",
    "__version__",
    "link",
    "open",
    "show_versions",
]


def show_versions() -> None:
    """Print the versions of cx, of Python and of the libraries that read its tables.

    Put this into a bug report. Nothing but versions is printed, and no library is imported.
    """
    import importlib.metadata
    import platform

    print(f"cxcontext {__version__}")
    print(f"python    {platform.python_version()} ({platform.platform()})")
    for library in ("duckdb", "pandas", "polars", "pyarrow"):
        try:
            version = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            version = "-"
        print(f"{library:<9} {version}")
