//! SQLite's way to the files, led past [`Disk`]: the default of this process, so that nothing in
//! the store knows of it.
//!
//! Files of folders that were given to a [`Disk`] are watched; all others pass. What is written
//! goes into the real file too, but for the real sync, so that whoever reads sees it.

#![expect(
    unsafe_code,
    clippy::borrow_as_ptr,
    reason = "a file system of SQLite is a table of C functions"
)]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use rusqlite::ffi;

use crate::disk::{Answer, Disk, Lie, Op};

static WATCHED: Mutex<BTreeMap<PathBuf, Arc<Disk>>> = Mutex::new(BTreeMap::new());
static INSTALLED: Once = Once::new();

fn watched() -> MutexGuard<'static, BTreeMap<PathBuf, Arc<Disk>>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leads all files of this folder past a disk.
pub(crate) fn watch(folder: &Path, disk: &Arc<Disk>) {
    INSTALLED.call_once(install);
    watched().insert(folder.to_owned(), Arc::clone(disk));
}

pub(crate) fn forget(folder: &Path) {
    watched().remove(folder);
}

/// An open file; the real one lies behind it in the same piece of memory.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// Null where the file is not watched.
    watch: *mut Watch,
}

struct Watch {
    disk: Arc<Disk>,
    name: String,
}

/// Where the real file begins: after ours, and aligned as everything needs.
const BEHIND: usize = size_of::<File>().next_multiple_of(16);

fn install() {
    // SAFETY: the real file system lives as long as the process; the copy that is registered is
    // leaked, so it does as well, and all its functions are those of the real one but for two,
    // which keep to the contract of `sqlite3_vfs`.
    unsafe {
        let real = ffi::sqlite3_vfs_find(std::ptr::null());
        assert!(!real.is_null(), "SQLite has a default file system");
        let mut ours = std::ptr::read(real);
        ours.zName = c"failing".as_ptr();
        ours.pNext = std::ptr::null_mut();
        ours.szOsFile = (*real).szOsFile + c_int::try_from(BEHIND).unwrap();
        ours.pAppData = real.cast();
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        let code = ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1);
        assert_eq!(code, ffi::SQLITE_OK);
        ffi::sqlite3_auto_extension(Some(connected));
    }
}

/// The real file system.
///
/// # Safety
/// `vfs` is the one that [`install`] has registered.
unsafe fn real(vfs: *mut ffi::sqlite3_vfs) -> *mut ffi::sqlite3_vfs {
    // SAFETY: `install` put it there.
    unsafe { (*vfs).pAppData.cast() }
}

fn watch_of(path: &Path) -> Option<Watch> {
    let disk = Arc::clone(watched().get(path.parent()?)?);
    let name = path.file_name()?.to_str()?.to_owned();
    // The index of the log lives in memory, and is gone with the power.
    (!name.ends_with("-shm")).then_some(Watch { disk, name })
}

/// # Safety
/// `name` is null or a text that ends with a zero.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().ok().map(PathBuf::from)
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a name or none, and `szOsFile` bytes for the file, as was asked.
    unsafe {
        let ours = file.cast::<File>();
        (*ours).base.pMethods = std::ptr::null();
        (*ours).watch = std::ptr::null_mut();
        let path = path_of(name);
        let watch = path.as_deref().and_then(watch_of);
        if let Some(watch) = &watch
            && watch.disk.ask(Op::Open, &watch.name, 0) != Answer::Do
        {
            return ffi::SQLITE_CANTOPEN;
        }
        let before = path.as_deref().and_then(|path| std::fs::read(path).ok());
        let vfs = real(vfs);
        let code = ((*vfs).xOpen.unwrap())(vfs, name, behind(file), flags, out_flags);
        if code != ffi::SQLITE_OK {
            return code;
        }
        if let Some(watch) = watch {
            watch.disk.opened(&watch.name, before);
            (*ours).watch = Box::into_raw(Box::new(watch));
        }
        (*ours).base.pMethods = &METHODS;
        code
    }
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    folder_too: c_int,
) -> c_int {
    // SAFETY: SQLite gives a name; the real file system gets what we got.
    unsafe {
        let watch = path_of(name).as_deref().and_then(watch_of);
        if let Some(watch) = &watch
            && watch.disk.ask(Op::Delete, &watch.name, 0) != Answer::Do
        {
            return ffi::SQLITE_IOERR_DELETE;
        }
        let vfs = real(vfs);
        let code = ((*vfs).xDelete.unwrap())(vfs, name, 0);
        if let (ffi::SQLITE_OK, Some(watch)) = (code, watch) {
            watch.disk.deleted(&watch.name, folder_too != 0);
        }
        code
    }
}

/// # Safety
/// `file` is one that [`open`] was given.
unsafe fn behind(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: there are `szOsFile` bytes, the real one's behind ours.
    unsafe { file.cast::<u8>().add(BEHIND).cast() }
}

/// # Safety
/// `file` is one that [`open`] has opened.
unsafe fn watched_file<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Watch> {
    // SAFETY: it is null, or was boxed by `open` and lives until `close`.
    unsafe { (*file.cast::<File>()).watch.as_ref() }
}

/// Calls the same function of the real file.
macro_rules! pass {
    ($file:ident, $method:ident $(, $argument:expr)*) => {{
        let real = behind($file);
        ((*(*real).pMethods).$method.unwrap())(real $(, $argument)*)
    }};
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open, and is closed once; so is the real one.
    unsafe {
        let ours = file.cast::<File>();
        if !(*ours).watch.is_null() {
            drop(Box::from_raw((*ours).watch));
            (*ours).watch = std::ptr::null_mut();
        }
        pass!(file, xClose)
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    to: *mut c_void,
    length: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe {
        if let Some(watch) = watched_file(file)
            && watch.disk.ask(Op::Read, &watch.name, 0) != Answer::Do
        {
            return ffi::SQLITE_IOERR_READ;
        }
        pass!(file, xRead, to, length, at)
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    length: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives `length` bytes; the real file gets them, or the first half of them.
    unsafe {
        let Some(watch) = watched_file(file) else { return pass!(file, xWrite, from, length, at) };
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(length).unwrap());
        let start = usize::try_from(at).unwrap();
        let answer = watch.disk.ask(Op::Write, &watch.name, start + bytes.len());
        let half = &bytes[..bytes.len() / 2];
        match answer {
            Answer::Do => {
                watch.disk.written(&watch.name, start, bytes);
                pass!(file, xWrite, from, length, at)
            }
            Answer::FailHalfway => {
                watch.disk.written(&watch.name, start, half);
                let code = pass!(file, xWrite, from, c_int::try_from(half.len()).unwrap(), at);
                if code == ffi::SQLITE_OK { ffi::SQLITE_IOERR_WRITE } else { code }
            }
            Answer::NoSpace => ffi::SQLITE_FULL,
            Answer::Fail => {
                if watch.disk.is_off() {
                    watch.disk.written(&watch.name, start, bytes);
                }
                ffi::SQLITE_IOERR_WRITE
            }
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe {
        if let Some(watch) = watched_file(file) {
            if watch.disk.ask(Op::Cut, &watch.name, 0) != Answer::Do {
                return ffi::SQLITE_IOERR_TRUNCATE;
            }
            watch.disk.cut(&watch.name, usize::try_from(length).unwrap());
        }
        pass!(file, xTruncate, length)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe {
        let Some(watch) = watched_file(file) else { return pass!(file, xSync, flags) };
        if watch.disk.ask(Op::Sync, &watch.name, 0) != Answer::Do {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        watch.disk.synced(&watch.name);
        // The real disk is not what is tested.
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    size: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe { pass!(file, xFileSize, size) }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe { pass!(file, xLock, level) }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe { pass!(file, xUnlock, level) }
}

unsafe extern "C" fn check_reserved_lock(
    file: *mut ffi::sqlite3_file,
    result: *mut c_int,
) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe { pass!(file, xCheckReservedLock, result) }
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    op: c_int,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: for a pragma the argument is an array of texts, the second of which is its name and
    // the third, which may be null, its value; the real file gets what we got.
    unsafe {
        if op == ffi::SQLITE_FCNTL_PRAGMA
            && watched_file(file).is_some_and(|watch| watch.disk.lie() == Lie::SynchronousOff)
        {
            let words = argument.cast::<*mut c_char>();
            let (name, value) = (*words.add(1), *words.add(2));
            let is_full = !value.is_null() && !CStr::from_ptr(value).eq(c"OFF");
            if CStr::from_ptr(name).eq(c"synchronous") && is_full {
                // Done, says this: nothing is set.
                return ffi::SQLITE_OK;
            }
        }
        pass!(file, xFileControl, op, argument)
    }
}

/// Where the disk is one on which nothing is to be synced, every new connection is told so.
unsafe extern "C" fn connected(
    db: *mut ffi::sqlite3,
    _message: *mut *mut c_char,
    _api: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the connection is open, and its file's name a text or null.
    unsafe {
        let path = path_of(ffi::sqlite3_db_filename(db, c"main".as_ptr()));
        if path.as_deref().and_then(watch_of).is_some_and(|w| w.disk.lie() == Lie::SynchronousOff) {
            let sql = c"PRAGMA synchronous = OFF".as_ptr();
            return ffi::sqlite3_exec(db, sql, None, std::ptr::null_mut(), std::ptr::null_mut());
        }
        ffi::SQLITE_OK
    }
}

/// # Safety
/// As SQLite calls it.
unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    512
}

/// Promises nothing: neither whole sectors nor their order.
///
/// # Safety
/// As SQLite calls it.
unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    0
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe { pass!(file, xShmMap, page, size, extend, out) }
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    n: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe { pass!(file, xShmLock, offset, n, flags) }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: the real file gets what we got.
    unsafe { pass!(file, xShmBarrier) }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: the real file gets what we got.
    unsafe { pass!(file, xShmUnmap, delete) }
}

/// Without memory-mapped reads, which would go past us.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
