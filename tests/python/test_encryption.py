"""Encrypted stores; where cx was built without the feature, a key is refused."""

from pathlib import Path

import pytest

import cxcontext as cx

KEY = "correct horse battery staple"


def can_encrypt(folder: Path) -> bool:
    probe = folder / "probe.cx"
    try:
        cx.open(probe, key=KEY).close()
    except cx.NoEncryptionError:
        assert not probe.exists()
        return False
    return True


@pytest.mark.parametrize("key", ["", "\n", "a\0b", b"", b"a" * 31, b"a" * 33, f"x'{'0a' * 32}'"])
def test_what_can_be_no_key_is_refused_and_not_shown(tmp_path: Path, key: str | bytes) -> None:
    with pytest.raises(cx.InvalidArgumentError) as caught:
        cx.open(tmp_path / "a.cx", key=key)
    assert caught.value.argument == "key"
    assert "0a0a" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_key_is_text_or_bytes(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not int"):
        cx.open(tmp_path / "a.cx", key=7)  # type: ignore[arg-type]


def test_a_store_in_memory_takes_no_key() -> None:
    with pytest.raises(cx.InvalidArgumentError):
        cx.open(key=KEY)


def test_a_key_is_kept_to_or_refused(tmp_path: Path) -> None:
    path, plain = tmp_path / "a.cx", tmp_path / "plain.cx"
    with cx.open(plain) as store:
        assert not store.is_encrypted
        store.backup_under(tmp_path / "copy.cx", key=None)
        if not can_encrypt(tmp_path):
            with pytest.raises(cx.NoEncryptionError):
                store.backup_under(path, key=KEY)
            with pytest.raises(cx.NoEncryptionError):
                cx.Tenants(tmp_path / "tenants", key=KEY)
            assert not path.exists()
            return
        store.backup_under(path, key=KEY)
    with cx.open(path, key=KEY + "\n") as store:
        assert store.is_encrypted
        store.backup_under(tmp_path / "raw.cx", key=bytes(32))
    with cx.open(tmp_path / "raw.cx", key="00" * 32, read_only=True) as store:
        assert not store.check().problems
    with pytest.raises(cx.WrongKeyError) as wrong:
        cx.open(path, key="another")
    assert wrong.value.path == str(path)
    with pytest.raises(cx.EncryptedStoreError):
        cx.open(path)
    with pytest.raises(cx.UnencryptedStoreError):
        cx.open(plain, key=KEY)
    tenants = cx.Tenants(tmp_path / "tenants", key=KEY)
    with tenants.store("Acme B.V.") as store:
        assert store.is_encrypted
