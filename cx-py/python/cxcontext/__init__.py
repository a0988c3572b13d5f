"""The customer-context engine: who is this, and what do we already know?

>>> import cxcontext as cx
>>> cx.__name__
'cxcontext'
"""

from __future__ import annotations

from cxcontext._native import Event, Events, Fields, __version__
from cxcontext.exceptions import (
    CorruptStoreError,
    CxError,
    ForeignFileError,
    InvalidArgumentError,
    InvalidEventError,
    NewerStoreError,
    NotFoundError,
    ReadOnlyStoreError,
    StoreClosedError,
    StoreError,
    StoreLockedError,
    TenantError,
)

__all__ = [
    "CorruptStoreError",
    "CxError",
    "Event",
    "Events",
    "Fields",
    "ForeignFileError",
    "InvalidArgumentError",
    "InvalidEventError",
    "NewerStoreError",
    "NotFoundError",
    "ReadOnlyStoreError",
    "StoreClosedError",
    "StoreError",
    "StoreLockedError",
    "TenantError",
    "__version__",
]
