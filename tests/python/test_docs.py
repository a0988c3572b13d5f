"""The examples people read run: Markdown pages and docstrings, top to bottom."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
from pathlib import Path

import pytest

import cxcontext as cx
from cxcontext import _native

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [ROOT / "README.md", ROOT / "cx-py" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[re.Match[str]]:
    return list(BLOCK.finditer(page.read_text(encoding="utf-8"))) if page.exists() else []


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_examples_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of one page share their names; a block of ``>>>`` lines also shows its output."""
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    # What a reader has who stands in a clone.
    shutil.copytree(ROOT / "cx-cli" / "demo", tmp_path / "cx-cli" / "demo")
    scope: dict[str, object] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for block in blocks(page):
        line = text.count("\n", 0, block.start(1))
        code = block[1]
        if code.lstrip().startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(code, scope, page.name, str(page), line)
            runner.run(test, clear_globs=False)
            scope.update(test.globs)
        else:
            exec(compile("\n" * line + code, str(page), "exec"), scope)
    assert runner.summarize(verbose=False).failed == 0


def documented() -> list[tuple[str, str]]:
    found = []
    for name, thing in inspect.getmembers(_native, inspect.isclass):
        members = [(name, thing), *((f"{name}.{n}", m) for n, m in vars(thing).items())]
        for place, member in members:
            text = getattr(member, "__doc__", None)
            if text and ">>>" in text:
                found.append((place, text))
    for name, function in inspect.getmembers(_native, inspect.isbuiltin):
        if function.__doc__ and ">>>" in function.__doc__:
            found.append((name, function.__doc__))
    return found


@pytest.mark.parametrize(("place", "text"), documented(), ids=lambda item: str(item)[:40])
def test_the_examples_of_a_docstring_run(
    place: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(text, {"cx": cx}, place, None, None)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(test).failed == 0


def test_every_public_method_is_documented() -> None:
    classes = [thing for _, thing in inspect.getmembers(_native, inspect.isclass)]
    missing = [
        f"{thing.__name__}.{name}"
        for thing in classes
        for name, member in vars(thing).items()
        if not name.startswith("_") and name != "columns" and not getattr(member, "__doc__", None)
    ]
    assert missing == []
