//! What engines of this machine publish in shared memory, in this process or another. On Linux.
#![allow(non_camel_case_types)] // These are C's names.

use crate::boundary::{self, Failure, Place, Room};
use crate::handles;
use crate::text::ended;
use crate::types::{gapless_reader, gapless_region, gapless_status};
use gapless::shm::{Directory, RegionInfo, ShmError};
use std::ffi::c_char;
use std::path::Path;

/// Lists the publications of this user in a folder (empty: /dev/shm) in the order of their files,
/// and writes how many there are to `count`. GAPLESS_STATUS_TOO_SMALL if they do not fit: `count`
/// says how much room is needed. Looks at every file; not for the hot path.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_regions_list(
    folder: *const c_char,
    folder_length: usize,
    regions: *mut gapless_region,
    capacity: usize,
    count: *mut usize,
) -> gapless_status {
    boundary::call(|| {
        let (room, count) = (Room::of(regions, capacity)?, Place::of(count)?);
        let found = directory(folder, folder_length)?.list().map_err(failure)?;
        count.put(found.len());
        room.put(found.into_iter().map(|found| match found {
            Ok(region) => (&region).into(),
            Err(error) => unusable(&error),
        }))
    })
}

/// Makes a reader of a book that an engine publishes in shared memory: `[ENGINE/]NAME[@CHANNEL]` in
/// a folder (empty: /dev/shm), where NAME is `VENUE[.MARKET]:SYMBOL` or the symbol alone. It is a
/// reader like those of gapless_engine_book(), read-only, and says GAPLESS_STATE_STALE once the
/// writer has ended, however it ended. (If another program of the same user makes the file shorter,
/// which gapless never does, the system ends processes that read it, by SIGBUS.) A writer that
/// comes again has a new publication: attach again. `*reader` is the caller's, to be freed once.
///
/// GAPLESS_STATUS_NO_SUCH_BOOK, GAPLESS_STATUS_AMBIGUOUS_BOOK, or GAPLESS_STATUS_SHARED_MEMORY.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_regions_attach(
    folder: *const c_char,
    folder_length: usize,
    name: *const c_char,
    name_length: usize,
    reader: *mut gapless_reader,
) -> gapless_status {
    handles::made(reader, || {
        let (directory, name) =
            (directory(folder, folder_length)?, boundary::text(name, name_length)?);
        directory.find(&name).and_then(|region| region.attach()).map_err(failure)
    })
}

/// Removes the files that ended processes left in a folder (empty: /dev/shm), and writes how many.
/// Their readers stay valid.
#[unsafe(no_mangle)]
pub extern "C" fn gapless_regions_sweep(
    folder: *const c_char,
    folder_length: usize,
    removed: *mut usize,
) -> gapless_status {
    boundary::answer(removed, || directory(folder, folder_length)?.sweep().map_err(failure))
}

fn directory(folder: *const c_char, length: usize) -> Result<Directory, Failure> {
    let folder = boundary::text(folder, length)?;
    Ok(if folder.is_empty() { Directory::default() } else { Directory::new(folder) })
}

fn failure(error: ShmError) -> Failure {
    let status = match error {
        ShmError::NoSuchBook(_) => gapless_status::NoSuchBook,
        ShmError::Ambiguous(..) => gapless_status::AmbiguousBook,
        _ => gapless_status::SharedMemory,
    };
    Failure(status, error.to_string())
}

impl From<&RegionInfo> for gapless_region {
    fn from(region: &RegionInfo) -> Self {
        Self {
            status: gapless_status::Ok as i32,
            pid: region.owner.pid,
            alive: region.owner.is_alive().map_or(-1, i32::from),
            file: file(&region.path),
            engine: ended(&region.engine),
            name: ended(&region.name),
            channel: ended(&region.channel),
            created_ns: region.created_ns,
        }
    }
}

fn unusable(error: &ShmError) -> gapless_region {
    let path = match error {
        ShmError::Io { path, .. }
        | ShmError::Foreign(path)
        | ShmError::Truncated(path)
        | ShmError::OtherLayout(path)
        | ShmError::OtherClock(path)
        | ShmError::Layout(path, _) => path.as_path(),
        _ => Path::new(""),
    };
    gapless_region {
        status: gapless_status::SharedMemory as i32,
        pid: 0,
        alive: -1,
        file: file(path),
        engine: ended(""),
        name: ended(""),
        channel: ended(""),
        created_ns: 0,
    }
}

fn file<const N: usize>(path: &Path) -> [c_char; N] {
    ended(path.file_name().and_then(|name| name.to_str()).unwrap_or(""))
}
