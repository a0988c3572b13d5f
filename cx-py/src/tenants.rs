//! `cx.Tenants`: a folder of stores, of which few are open at once.

use std::path::PathBuf;

use cx_core::identity::Policy;
use pyo3::prelude::*;

use crate::convert::count;
use crate::error::BindingError;
use crate::key;
use crate::store::Store;

/// The stores of many tenants, each in a file of its own in one folder, of which few are open at
/// once. Nothing is shared between them.
///
/// Parameters
/// ----------
/// folder : str or os.PathLike
///     The folder; made if it is not there.
/// most_open : int, default 64
///     So many stores are kept open; the one that was asked for longest ago is closed first, once
///     nobody holds it.
/// key : str or bytes, optional
///     The one key under which all stores of the folder are encrypted, as for :func:`open`.
///
/// Examples
/// --------
/// >>> tenants = cx.Tenants("stores")
/// >>> with tenants.store("Acme B.V.") as store:
/// ...     store.tenant
/// 'Acme B.V.'
/// >>> tenants.names()
/// ['Acme B.V.']
/// >>> tenants.remove("Acme B.V.")
/// True
#[derive(Debug)]
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Tenants {
    inner: cx_store::Tenants,
    folder: PathBuf,
}

#[pymethods]
impl Tenants {
    #[new]
    #[pyo3(signature = (folder, *, most_open=64, key=None))]
    fn new(
        py: Python<'_>,
        folder: PathBuf,
        most_open: i64,
        key: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self, BindingError> {
        let most_open = count("most_open", most_open)?;
        let (key, policy) = (key::key(key)?, Policy::default());
        let open = || cx_store::Tenants::open_under(&folder, most_open, policy, key);
        let inner = py.detach(open)?;
        Ok(Self { inner, folder })
    }

    /// The store of a tenant; made if there is none and ``create`` is true.
    ///
    /// Raises
    /// ------
    /// MissingFileError
    ///     ``create`` is false, and there is none.
    /// TenantError
    ///     The file is another tenant's.
    /// WrongKeyError, EncryptedStoreError, UnencryptedStoreError
    ///     The key of the folder does not fit the file.
    /// StoreError
    ///     The name is empty, or longer than a file's name can be.
    #[pyo3(signature = (tenant, *, create=true))]
    fn store(&self, py: Python<'_>, tenant: &str, create: bool) -> Result<Store, BindingError> {
        let store =
            py.detach(
                || {
                    if create { self.inner.store(tenant) } else { self.inner.existing(tenant) }
                },
            )?;
        Ok(Store::of(store))
    }

    /// The tenants who have a store, in the order of their names.
    fn names(&self, py: Python<'_>) -> Result<Vec<String>, BindingError> {
        Ok(py.detach(|| self.inner.names())?)
    }

    /// The file of a tenant, whether or not it is there.
    fn path(&self, tenant: &str) -> Result<PathBuf, BindingError> {
        Ok(self.inner.path(tenant)?)
    }

    /// Delete the file of a tenant; say whether there was one.
    ///
    /// Raises
    /// ------
    /// StoreLockedError
    ///     Somebody still has the store open, in this process or another: close it first.
    fn remove(&self, py: Python<'_>, tenant: &str) -> Result<bool, BindingError> {
        Ok(py.detach(|| self.inner.remove(tenant))?)
    }

    /// How many stores are kept open now.
    #[getter]
    fn n_open(&self, py: Python<'_>) -> usize {
        py.detach(|| self.inner.n_open())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let n_open = self.n_open(py);
        format!("Tenants({:?}, n_open={n_open})", self.folder.display().to_string())
    }
}
