//! Publications in files that other processes map: one file for each book.
//!
//! ```text
//! DIR/gapless-UID.ENGINE.NAME@CHANNEL      default DIR: /dev/shm
//!     page 0   header: version, layout, sizes, writer, names      written once
//!     page 1…  the publication: words, no pointers                one writer, any readers
//! ```
//! Invariant: a file has its name only while it is a whole publication; a reader that has it mapped
//! keeps it, whatever happens to the name, the writer or the file system's entry.
//!
//! # A writer that dies
//! At any instruction: before the file has its name nobody sees it, and [`Directory::sweep`]
//! removes it; after that the words are those of any publication whose writer went silent, and
//! readers say [`State::Stale`] within [`Config::writer_silent_ns`], whatever state it left.
//! Readers of another boot, or of a container with a clock of its own, are refused: a dead
//! writer's times could lie in their future. The file stays until the next writer of that name
//! replaces it or [`Directory::sweep`] removes it. One name has one living writer. Writers never
//! wait for each other, so that a thread that applies books may make a publication.
//!
//! # Who may read
//! Files are for their user only (mode 0600), and files of other users are refused. Readers map
//! them read-only. The same user could cut a file that is mapped, and end every process that reads
//! it: that user could end them anyway.
//!
//! [`State::Stale`]: gapless_book::local::State::Stale

mod header;
mod owner;

use crate::clock;
use crate::reader::{BookReader, Memory};
use gapless_book::local::Reason;
use gapless_book::publish::{AtomicU64, Config, LayoutError, Publisher, Reader, Region};
use header::{HEADER_BYTES, Header, HeaderError};
pub use header::{NAME_MAX, WORD_MAX};
pub use owner::Owner;
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the name of a file that is being made begins with, after the user's.
const MAKING: &str = "new-";

/// Why there is no publication in shared memory.
#[derive(Debug)]
#[non_exhaustive]
pub enum ShmError {
    /// The system refused.
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// An engine's name is empty, too long, or has other characters than letters, digits, `-` and
    /// `_`; or a book's name is too long.
    Name(String),
    /// Another living process writes it.
    InUse {
        /// The file.
        path: PathBuf,
        /// The process.
        pid: u32,
    },
    /// Not a file of this program, or another user's.
    Foreign(PathBuf),
    /// The file has not the size that it says.
    Truncated(PathBuf),
    /// Made by a version with another layout.
    OtherLayout(PathBuf),
    /// Its times are of another clock: an earlier boot's, or a container's. Whether its writer
    /// lives cannot be told from them.
    OtherClock(PathBuf),
    /// The publication in it cannot be used.
    Layout(PathBuf, LayoutError),
    /// No file is of this book.
    NoSuchBook(String),
    /// Several are: their full names.
    Ambiguous(String, Vec<String>),
}

impl std::fmt::Display for ShmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { path, what, error } => {
                write!(f, "{}: cannot {what} ({error})", path.display())
            }
            Self::Name(name) => write!(f, "{name:?}: not a name for shared memory"),
            Self::InUse { path, pid } => {
                let path = path.display();
                write!(f, "{path}: process {pid} writes it; give this engine another name")
            }
            Self::Foreign(path) => {
                write!(f, "{}: not a publication of this user", path.display())
            }
            Self::Truncated(path) => {
                write!(f, "{}: not as long as it says; remove it", path.display())
            }
            Self::OtherLayout(path) => {
                write!(f, "{}: made by another version of this program", path.display())
            }
            Self::OtherClock(path) => {
                let path = path.display();
                write!(f, "{path}: written by the clock of another boot or container")
            }
            Self::Layout(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NoSuchBook(name) => write!(f, "{name}: no such book in shared memory"),
            Self::Ambiguous(name, all) => {
                write!(f, "{name}: means several books; ask for one of {}", all.join(", "))
            }
        }
    }
}

impl std::error::Error for ShmError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Layout(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Words that are mapped: of a file, or of this process alone.
#[derive(Debug)]
pub struct Mapped {
    first: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the memory is atomic words that belong to no thread; it stays mapped until the last
// owner drops it.
unsafe impl Send for Mapped {}
// SAFETY: as above; everything that `&Mapped` gives is `&AtomicU64`.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps the words after the header; the file must be as long as the header says.
    fn new(file: &File, words: usize, prot: ProtFlags) -> io::Result<Self> {
        let bytes = words * size_of::<AtomicU64>();
        let (flags, offset) = (MapFlags::SHARED, HEADER_BYTES as u64);
        // SAFETY: a null hint lets the kernel choose an unused range: no memory that this process
        // knows of changes.
        let at = unsafe { mmap(std::ptr::null_mut(), bytes, prot, flags, file, offset) }?;
        let first = NonNull::new(at.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { first, words })
    }

    /// So many words of zeros, of this process alone. They cost memory a page at a time, once
    /// something is written there.
    pub(crate) fn anonymous(words: usize) -> io::Result<Self> {
        let bytes = words.max(1).checked_mul(size_of::<AtomicU64>());
        let bytes = bytes.ok_or(io::ErrorKind::OutOfMemory)?;
        let (prot, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a null hint lets the kernel choose an unused range: no memory that this process
        // knows of changes.
        let at = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, prot, flags) }?;
        let first = NonNull::new(at.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        // Many of these lie side by side: in huge pages the first write would cost all of them.
        // SAFETY: the range was just mapped, whole; the advice changes nothing that it holds.
        let _ = unsafe { madvise(at, bytes, Advice::LinuxNoHugepage) };
        Ok(Self { first, words })
    }
}

impl Region for Mapped {
    #[inline]
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: `first` begins a mapping of so many words, page-aligned, that lives as long as
        // `self`, and any bytes are words. All processes access them as atomic words. Readers,
        // whose mapping is read-only, only load: on 64-bit machines a plain or acquiring load of a
        // word never writes.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.words) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let bytes = self.words.max(1) * size_of::<AtomicU64>();
        // SAFETY: the range was mapped as a whole when `self` was made, and nobody borrows from it
        // any more.
        let _ = unsafe { munmap(self.first.as_ptr().cast(), bytes) };
    }
}

/// A folder of publications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    path: PathBuf,
}

impl Default for Directory {
    /// The machine's shared memory.
    fn default() -> Self {
        Self::new("/dev/shm")
    }
}

/// Whose publication it is.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Name of the engine: letters, digits, `-` and `_`, at most [`WORD_MAX`].
    pub engine: &'a str,
    /// `venue[.market]:SYMBOL`, at most [`NAME_MAX`] bytes.
    pub name: &'a str,
    /// Channel without the symbol, at most [`WORD_MAX`] bytes.
    pub channel: &'a str,
}

/// A publication that was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegionInfo {
    /// The file.
    pub path: PathBuf,
    /// Name of its engine.
    pub engine: String,
    /// `venue[.market]:SYMBOL`.
    pub name: String,
    /// Channel without the symbol.
    pub channel: String,
    /// Its writer.
    pub owner: Owner,
    /// Wall clock when it was made, ns since the epoch.
    pub created_ns: i64,
}

/// The name of a file, which goes when its writer does in good order.
#[derive(Debug)]
pub struct Entry {
    path: PathBuf,
    inode: u64,
    /// Who made it: a process that was forked from that one has only a copy.
    pid: u32,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.pid != std::process::id() {
            return;
        }
        // Another may have the name by now.
        if std::fs::metadata(&self.path).is_ok_and(|data| data.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Directory {
    /// A folder, best of a file system in memory.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Makes a publication and gives its file its name; the name goes when the entry is dropped.
    ///
    /// # Errors
    /// A name or choice is out of bounds, another living process writes that name, or the system
    /// refuses: no folder, no right, no room.
    pub fn create(
        &self,
        place: Place<'_>,
        config: &Config,
        incarnation: u64,
    ) -> Result<(Publisher<Arc<Memory>>, Entry), ShmError> {
        let path = self.path.join(place.file_name()?);
        let layout = |error| ShmError::Layout(path.clone(), error);
        let header = Header {
            words: config.words().map_err(layout)?,
            created_ns: wall_ns(),
            owner: Owner::me(),
            engine: place.engine.to_owned(),
            name: place.name.to_owned(),
            channel: place.channel.to_owned(),
        };
        let unnamed = Unnamed::make(&self.path, &header)?;
        let memory = Arc::new(Memory::Mapped(unnamed.mapped()?));
        let publisher = Publisher::create(memory, config, incarnation, clock::now_ns());
        let publisher = publisher.map_err(layout)?;
        let inode = unnamed.name(&path)?;
        Ok((publisher, Entry { path, inode, pid: std::process::id() }))
    }

    /// Every file that is named as a publication of this user, in the order of their names.
    ///
    /// # Errors
    /// The folder cannot be read. A file that is not a publication is an error in its place.
    pub fn list(&self) -> Result<Vec<Result<RegionInfo, ShmError>>, ShmError> {
        let entries = std::fs::read_dir(&self.path).map_err(io_error(&self.path, "read it"))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| is_named(path));
        paths.sort();
        let all = paths.into_iter().map(|path| match open(&path) {
            Ok((_, header)) => Some(Ok(RegionInfo::new(path, header))),
            // It went between the two looks.
            Err(ShmError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error)),
        });
        Ok(all.flatten().collect())
    }

    /// The one publication that is meant: `[ENGINE/]NAME[@CHANNEL]`, or the native symbol alone.
    ///
    /// # Errors
    /// There is none, or several, or the folder cannot be read.
    pub fn find(&self, query: &str) -> Result<RegionInfo, ShmError> {
        let mut found: Vec<_> = self.list()?.into_iter().flatten().collect();
        found.retain(|region| region.is_meant(query));
        match found.len() {
            0 => Err(ShmError::NoSuchBook(query.to_owned())),
            1 => found.pop().ok_or_else(|| ShmError::NoSuchBook(query.to_owned())),
            _ => {
                let all = found.iter().map(RegionInfo::full_name).collect();
                Err(ShmError::Ambiguous(query.to_owned(), all))
            }
        }
    }

    /// Removes the files that dead processes left, and says how many publications they were.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn sweep(&self) -> Result<usize, ShmError> {
        let entries = std::fs::read_dir(&self.path).map_err(io_error(&self.path, "read it"))?;
        let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        // Who makes a file holds it; what nobody holds will never be finished.
        for path in paths.iter().filter(|path| is_unnamed(path)) {
            if let Ok(file) = open_ours(path)
                && let Some(_held) = hold(path, file)
            {
                let _ = std::fs::remove_file(path);
            }
        }
        let dead = |path: &&PathBuf| {
            let Ok((file, header)) = open(path) else { return false };
            let is_dead = header.owner.is_alive() == Some(false);
            let held = is_dead.then(|| hold(path, file)).flatten();
            held.is_some() && std::fs::remove_file(path).is_ok()
        };
        Ok(paths.iter().filter(|path| is_named(path)).filter(dead).count())
    }
}

/// A file that is being made: it has a name that nobody looks for.
struct Unnamed {
    path: PathBuf,
    file: File,
    words: usize,
}

impl Unnamed {
    /// Makes a file with room for a publication, and holds it until it has its name.
    fn make(folder: &Path, header: &Header) -> Result<Self, ShmError> {
        static MADE: Mutex<u64> = Mutex::new(0);
        let number = {
            let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
            *made += 1;
            *made
        };
        let pid = std::process::id();
        let path = folder.join(format!("{}{MAKING}{pid}-{number}", prefix()));
        // Of a process that died and had this number.
        let _ = std::fs::remove_file(&path);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = opened.map_err(io_error(&path, "make it"))?;
        let made = Self { path, file, words: header.words };
        // Nobody else holds a file that is new, but one who sweeps, for a moment.
        let _ = made.file.try_lock();
        let bytes = header.file_bytes().unwrap_or(usize::MAX) as u64;
        // Memory that is not there ends the process that touches it: it is taken now or refused.
        let room =
            fallocate(&made.file, FallocateFlags::empty(), 0, bytes).map_err(io::Error::from);
        room.map_err(io_error(&made.path, "take memory for it"))?;
        let written = made.file.write_all_at(&header.encode(), 0);
        written.map_err(io_error(&made.path, "write it"))?;
        Ok(made)
    }

    fn mapped(&self) -> Result<Mapped, ShmError> {
        let mapped = Mapped::new(&self.file, self.words, ProtFlags::READ | ProtFlags::WRITE);
        mapped.map_err(io_error(&self.path, "map it"))
    }

    /// Gives the file its name if no living writer has it, and says which file it is. Waits for
    /// nobody: whoever gives a name that another wants is done at once.
    fn name(self, path: &Path) -> Result<u64, ShmError> {
        const TRIES: u32 = 16;
        let data = self.file.metadata().map_err(io_error(path, "look at it"))?;
        for _ in 0..TRIES {
            match std::fs::hard_link(&self.path, path) {
                Ok(()) => return Ok(data.ino()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error(path, "name the file")(error)),
            }
            let old = match open(path) {
                Ok((_, header)) if is_in_use(path, &header) => {
                    return Err(ShmError::InUse { path: path.to_owned(), pid: header.owner.pid });
                }
                Ok((old, _)) => Ok(old),
                // It went between the two looks.
                Err(ShmError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                    continue;
                }
                // Whatever it is, no writer of this version lives in it.
                Err(_) => open_ours(path),
            };
            // Of several who want the name of a dead writer, one at a time replaces its file.
            if let Some(_held) = hold(path, old?) {
                std::fs::rename(&self.path, path).map_err(io_error(path, "name the file"))?;
                return Ok(data.ino());
            }
            std::thread::yield_now();
        }
        Err(io_error(path, "name the file")(io::ErrorKind::WouldBlock.into()))
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        // It has its name, or gets none. Gone already where it took the place of another.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Holds a file against others who would remove or replace it, if it still has its name; the kernel
/// lets go when this process ends, however it ends.
fn hold(path: &Path, file: File) -> Option<File> {
    file.try_lock().ok()?;
    let (ours, named) = (file.metadata().ok()?, std::fs::symlink_metadata(path).ok()?);
    (ours.ino() == named.ino() && ours.dev() == named.dev()).then_some(file)
}

impl RegionInfo {
    fn new(path: PathBuf, header: Header) -> Self {
        let Header { engine, name, channel, owner, created_ns, .. } = header;
        Self { path, engine, name, channel, owner, created_ns }
    }

    /// `ENGINE/NAME@CHANNEL`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}@{}", self.engine, self.name, self.channel)
    }

    fn is_meant(&self, query: &str) -> bool {
        let book = match query.split_once('/').filter(|(engine, _)| *engine == self.engine) {
            Some((_, book)) => book,
            None => query,
        };
        let symbol = self.name.split_once(':').map_or("", |(_, symbol)| symbol);
        [self.name.as_str(), symbol].into_iter().any(|name| {
            let rest = book.strip_prefix(name).filter(|_| !name.is_empty());
            rest.is_some_and(|r| r.is_empty() || r.strip_prefix('@') == Some(&self.channel))
        })
    }

    /// Maps it for reading.
    ///
    /// # Errors
    /// The file has gone, or is not what it was, or its writer has another clock.
    pub fn attach(&self) -> Result<BookReader, ShmError> {
        let (file, header) = open(&self.path)?;
        if !header.owner.has_our_clock() {
            return Err(ShmError::OtherClock(self.path.clone()));
        }
        let mapped = Mapped::new(&file, header.words, ProtFlags::READ);
        let memory = Memory::Mapped(mapped.map_err(io_error(&self.path, "map it"))?);
        let reader = Reader::attach(Arc::new(memory));
        let reader = reader.map_err(|error| ShmError::Layout(self.path.clone(), error))?;
        Ok(BookReader::new(header.name.into(), reader))
    }
}

impl Place<'_> {
    fn file_name(&self) -> Result<String, ShmError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        let engine = self.engine;
        if engine.is_empty() || engine.len() > WORD_MAX || !engine.bytes().all(word) {
            return Err(ShmError::Name(engine.to_owned()));
        }
        if self.name.len() > NAME_MAX || self.channel.len() > WORD_MAX {
            return Err(ShmError::Name(format!("{}@{}", self.name, self.channel)));
        }
        let mut file = format!("{}{engine}.", prefix());
        for byte in self.name.bytes().chain(*b"@").chain(self.channel.bytes()) {
            if word(byte) || b".:@".contains(&byte) {
                file.push(char::from(byte));
            } else {
                file.push_str(&format!("%{byte:02X}"));
            }
        }
        // What file systems allow.
        if file.len() > 255 { Err(ShmError::Name(file)) } else { Ok(file) }
    }
}

/// What the files of this user begin with.
fn prefix() -> String {
    format!("gapless-{}.", rustix::process::geteuid().as_raw())
}

/// Whether a file is named as a publication: more than one part after the user's.
fn is_named(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    name.strip_prefix(&prefix()).is_some_and(|rest| rest.contains('.'))
}

/// Whether a file is named as one that is being made.
fn is_unnamed(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    name.strip_prefix(&prefix()).is_some_and(|rest| rest.starts_with(MAKING) && !rest.contains('.'))
}

fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn io_error(path: &Path, what: &'static str) -> impl Fn(io::Error) -> ShmError {
    move |error| ShmError::Io { path: path.to_owned(), what, error }
}

/// Opens a file of this user.
fn open_ours(path: &Path) -> Result<File, ShmError> {
    let mut options = OpenOptions::new();
    // A pipe of that name must not keep us waiting.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = options.read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = opened.map_err(|error| match rustix::io::Errno::from_io_error(&error) {
        Some(rustix::io::Errno::LOOP) => ShmError::Foreign(path.to_owned()),
        _ => io_error(path, "open it")(error),
    })?;
    let data = file.metadata().map_err(io_error(path, "look at it"))?;
    if !data.is_file() || data.uid() != rustix::process::geteuid().as_raw() {
        return Err(ShmError::Foreign(path.to_owned()));
    }
    Ok(file)
}

/// Opens a file of this user and reads its header.
fn open(path: &Path) -> Result<(File, Header), ShmError> {
    let file = open_ours(path)?;
    let data = file.metadata().map_err(io_error(path, "look at it"))?;
    let mut page = vec![0; HEADER_BYTES];
    file.read_exact_at(&mut page, 0).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ShmError::Truncated(path.to_owned()),
        _ => io_error(path, "read it")(error),
    })?;
    let header = Header::decode(&page, data.len()).map_err(|error| match error {
        HeaderError::Foreign => ShmError::Foreign(path.to_owned()),
        HeaderError::OtherLayout(_) => ShmError::OtherLayout(path.to_owned()),
        HeaderError::Size => ShmError::Truncated(path.to_owned()),
    })?;
    Ok((file, header))
}

/// Whether a file's writer lives. One whose number means nothing here, a container's, is told by
/// its signs of life.
fn is_in_use(path: &Path, header: &Header) -> bool {
    header.owner.is_alive().unwrap_or_else(|| {
        match RegionInfo::new(path.to_owned(), header.clone()).attach() {
            Ok(reader) => !matches!(reader.state().1, Reason::WriterSilent | Reason::Closed),
            // Nobody here can tell; two writers of one name would be worse than none.
            Err(ShmError::OtherClock(_)) => true,
            Err(_) => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_process_that_drops_its_copy_leaves_the_name() {
        let name = format!("gapless-entry-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, "").unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        let pid = std::process::id();
        drop(Entry { path: path.clone(), inode, pid: pid + 1 });
        assert!(path.exists());
        drop(Entry { path: path.clone(), inode: inode + 1, pid });
        assert!(path.exists());
        drop(Entry { path: path.clone(), inode, pid });
        assert!(!path.exists());
    }
}
