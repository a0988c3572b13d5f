"""What importing the package does, and what it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cxcontext as cx
from cxcontext import exceptions

FOREIGN = ("numpy", "pandas", "polars", "pyarrow", "duckdb", "tqdm", "IPython")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_importing_cx_imports_no_other_library() -> None:
    code = f"import sys, cxcontext; print([n for n in {FOREIGN} if n in sys.modules])"
    assert python(code) == "[]"


def test_importing_cx_takes_less_than_a_tenth_of_a_second() -> None:
    # CPU time, the best of three processes: other work on the machine is not what is measured.
    code = "import time; t = time.process_time(); import cxcontext; print(time.process_time() - t)"
    assert min(float(python(code)) for _ in range(3)) < 0.1


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(cx.__all__) == cx.__all__
    for name in cx.__all__:
        thing = getattr(cx, name)
        assert name == "__version__" or thing.__doc__, name


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (cx.InvalidArgumentError, ValueError),
        (cx.InvalidEventError, ValueError),
        (cx.NotFoundError, LookupError),
        (cx.StoreError, OSError),
        (cx.MissingFileError, FileNotFoundError),
        (cx.MissingFileError, LookupError),
        (cx.ExistingFileError, FileExistsError),
        (cx.StoreClosedError, OSError),
        (cx.StoreLockedError, OSError),
        (cx.ReadOnlyStoreError, OSError),
        (cx.ForeignFileError, OSError),
        (cx.NewerStoreError, OSError),
        (cx.WrongKeyError, OSError),
        (cx.EncryptedStoreError, OSError),
        (cx.UnencryptedStoreError, OSError),
        (cx.NoEncryptionError, OSError),
        (cx.CorruptStoreError, OSError),
        (cx.TenantError, OSError),
    ],
)
def test_every_error_is_a_cx_error_and_the_builtin_people_catch(
    error: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(error, cx.CxError)
    assert issubclass(error, builtin)
    assert str(error("what happened")) == "what happened"


def test_all_errors_are_exported() -> None:
    assert set(exceptions.__all__) <= set(cx.__all__)


def test_show_versions_names_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    cx.show_versions()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"cxcontext {cx.__version__}"
    assert [line.split()[0] for line in lines[2:]] == ["duckdb", "pandas", "polars", "pyarrow"]
