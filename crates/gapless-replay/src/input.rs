//! Paths → open readers.
//!
//! [`find`] turns what a person names (files, folders, patterns, `-`) into a sorted list of
//! inputs; [`open`] unpacks one and tells its form from its first line. What cannot be read is one
//! error that says what was found instead and what to do.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gapless_book::event::NO_TIME;
use gapless_venues::scan::Value;

use crate::container::{self, Container};
use crate::csv::DatasetKind;
use crate::error::{FileName, ReplayError, quote};
use crate::lines::{Found, Lines};
use crate::normalized::Dialect;
use crate::record::{Record, Stats};
use crate::{capture, csv, normalized, tardis_raw, time};

/// Most files of one [`find`].
pub const FILES_MAX: usize = 100_000;
/// Deepest folder that is looked into.
pub const FOLDERS_MAX: u32 = 32;

/// Suffixes of the files that a folder is searched for; each also with `.gz` or `.zst`.
const SUFFIXES: [&str; 4] = [".cap", ".ndjson", ".jsonl", ".csv"];
const WANTED: &str = "*.cap, *.ndjson, *.jsonl, *.csv, plain or .gz or .zst";

const HELP: &str = "expected a capture, Tardis raw or normalized lines, a Tardis CSV dataset or \
    relay messages; name the form with --format if it is one of them";

/// An unpacked stream of bytes.
pub type Source = Box<dyn Read + Send>;

/// The forms that recordings come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Capture v1.
    Capture,
    /// The venue's frames with Tardis' receive times.
    TardisRaw,
    /// Tardis normalized messages.
    Normalized,
    /// Messages in the relay's dialect.
    Relay,
    /// A Tardis CSV dataset; `None` = header and file name tell which.
    Csv(Option<DatasetKind>),
}

impl Format {
    /// The forms without the datasets of the CSV.
    pub const ALL: [Self; 5] =
        [Self::Capture, Self::TardisRaw, Self::Normalized, Self::Relay, Self::Csv(None)];

    /// The name that `--format` takes, without a dataset.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::TardisRaw => "tardis-raw",
            Self::Normalized => "normalized",
            Self::Relay => "relay",
            Self::Csv(_) => "csv",
        }
    }

    /// The format of a name; a CSV may name its dataset, as in `csv:liquidations`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.split_once(':') {
            Some(("csv", dataset)) => DatasetKind::from_name(dataset).map(Some).map(Self::Csv),
            _ => Self::ALL.into_iter().find(|format| format.name() == name),
        }
    }
}

/// One input that was named or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The file; `None` = standard input.
    path: Option<PathBuf>,
    name: FileName,
}

impl Input {
    /// A file.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = FileName::new(&path.to_string_lossy());
        Self { path: Some(path), name }
    }

    /// Standard input.
    #[must_use]
    pub fn stdin() -> Self {
        Self { path: None, name: FileName::new("(standard input)") }
    }

    /// The same for every way to name a file.
    fn real(&self) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        Some(fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
    }

    /// Its name for people and reports.
    #[must_use]
    pub fn name(&self) -> &FileName {
        &self.name
    }

    /// Whether it is standard input, which can be read once only.
    #[must_use]
    pub fn is_stdin(&self) -> bool {
        self.path.is_none()
    }

    /// Name of the folder that the file lies in: recordings are kept by venue.
    #[must_use]
    pub fn folder(&self) -> Option<&str> {
        self.path.as_deref()?.parent()?.file_name()?.to_str()
    }

    /// Packed size in bytes, where it can be known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        let meta = fs::metadata(self.path.as_deref()?).ok()?;
        meta.is_file().then_some(meta.len())
    }
}

/// Finds the inputs that the arguments of a command name. An argument is `-` (standard input), a
/// file (taken whatever its name), a folder (searched, sorted, known suffixes only) or a pattern.
/// A file that is named twice is taken once.
///
/// # Errors
/// One error per argument that gives nothing; the other arguments' inputs are lost then, so that
/// nobody takes a part for the whole.
pub fn find(arguments: &[String]) -> Result<Vec<Input>, Vec<ReplayError>> {
    let (mut inputs, mut errors) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for argument in arguments {
        match find_one(argument) {
            // One file may be named in several ways.
            Ok(found) => inputs.extend(found.into_iter().filter(|input| seen.insert(input.real()))),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(inputs) } else { Err(errors) }
}

fn find_one(argument: &str) -> Result<Vec<Input>, ReplayError> {
    if argument == "-" {
        return Ok(vec![Input::stdin()]);
    }
    let path = Path::new(argument);
    let file = || FileName::new(argument);
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let mut found = Vec::new();
            search(path, 0, &mut found)?;
            if found.is_empty() {
                return Err(ReplayError::NoneFound { file: file(), wanted: WANTED });
            }
            Ok(found)
        }
        Ok(_) => Ok(vec![Input::file(path)]),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_pattern(argument) => {
            expand(argument)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ReplayError::Missing { file: file() })
        }
        Err(error) => Err(ReplayError::Unreadable { file: file(), error }),
    }
}

fn is_pattern(argument: &str) -> bool {
    argument.contains(['*', '?', '['])
}

fn expand(pattern: &str) -> Result<Vec<Input>, ReplayError> {
    let file = || FileName::new(pattern);
    let paths = glob::glob(pattern)
        .map_err(|error| ReplayError::Pattern { file: file(), what: error.msg.to_owned() })?;
    let mut found = Vec::new();
    // Matches come sorted. A folder that cannot be looked into holds nothing for this user.
    for path in paths.flatten() {
        if path.is_dir() {
            search(&path, 0, &mut found)?;
        } else {
            found.push(Input::file(path));
        }
        if found.len() > FILES_MAX {
            return Err(ReplayError::TooMany { file: file(), max: FILES_MAX });
        }
    }
    if found.is_empty() {
        return Err(ReplayError::NoMatch { file: file() });
    }
    Ok(found)
}

/// Collects the recordings below a folder, sorted by path. Links are followed; a ring of them
/// ends at [`FOLDERS_MAX`].
fn search(folder: &Path, depth: u32, found: &mut Vec<Input>) -> Result<(), ReplayError> {
    let file = || FileName::new(&folder.to_string_lossy());
    let unreadable = |error| ReplayError::Unreadable { file: file(), error };
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>()
        })
        .map_err(unreadable)?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if depth < FOLDERS_MAX {
                search(&path, depth + 1, found)?;
            }
        } else if is_recording(&path) {
            found.push(Input::file(path));
        }
        if found.len() > FILES_MAX {
            return Err(ReplayError::TooMany { file: file(), max: FILES_MAX });
        }
    }
    Ok(())
}

/// Whether a folder's search takes a file of this name.
#[must_use]
pub fn is_recording(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    !name.starts_with('.') && SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// How far an input has been read; cheap to clone and to ask from another thread.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Packed bytes read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        // A number for a progress bar: nothing is ordered by it.
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.progress.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// An open input of any form.
pub struct Reader {
    form: Form,
    progress: Progress,
}

enum Form {
    Capture(capture::Reader<Source>),
    TardisRaw(tardis_raw::Reader<Source>),
    Messages(normalized::Reader<Source>),
    // Boxed for its size; one per file.
    Csv(Box<csv::Reader<Source>>),
}

/// What an open input has gone to.
pub enum Item<'a> {
    /// One record.
    Record(Record<'a>),
    /// Messages of one receive time in a CSV; [`csv::Reader::emit`] gives them.
    Csv(&'a mut csv::Reader<Source>),
}

/// Opens an input and tells its form, or takes the form that the caller names.
///
/// # Errors
/// Missing, unreadable, empty, or of no form that is read here.
pub fn open(input: &Input, format: Option<Format>) -> Result<Reader, ReplayError> {
    match &input.path {
        None => open_stream(io::stdin(), input.name.clone(), format),
        Some(path) => open_stream(file(path, &input.name)?, input.name.clone(), format),
    }
}

fn file(path: &Path, name: &FileName) -> Result<File, ReplayError> {
    let file = name.clone();
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReplayError::Missing { file },
        _ => ReplayError::Unreadable { file, error },
    })
}

/// The unpacked lines of an input, whatever they are.
pub(crate) fn lines(input: &Input) -> Result<Lines<Source>, ReplayError> {
    let name = input.name.clone();
    let unpacked = match &input.path {
        None => container::unpack(io::stdin()),
        Some(path) => container::unpack(file(path, &name)?),
    };
    let (_, source) =
        unpacked.map_err(|error| ReplayError::Unreadable { file: name.clone(), error })?;
    Ok(Lines::new(source, name))
}

/// As [`open`], for any stream.
///
/// # Errors
/// As [`open`].
pub fn open_stream(
    stream: impl Read + Send + 'static,
    name: FileName,
    format: Option<Format>,
) -> Result<Reader, ReplayError> {
    let progress = Progress::default();
    let counted = Counted { inner: stream, progress: progress.clone() };
    let (container, source) = container::unpack(counted)
        .map_err(|error| ReplayError::Unreadable { file: name.clone(), error })?;
    let mut lines = Lines::new(source, name);
    let format = match format {
        Some(format) => format,
        None => tell(&mut lines).map_err(|error| misnamed(error, container))?,
    };
    let form = match format {
        Format::Capture => Form::Capture(capture::Reader::new(lines)),
        Format::TardisRaw => Form::TardisRaw(tardis_raw::Reader::new(lines)),
        Format::Normalized => Form::Messages(normalized::Reader::new(lines, Dialect::Tardis)),
        Format::Relay => Form::Messages(normalized::Reader::new(lines, Dialect::Relay)),
        Format::Csv(dataset) => {
            let options = csv::Options { dataset, ..csv::Options::default() };
            Form::Csv(Box::new(csv::Reader::new(lines, options)?))
        }
    };
    Ok(Reader { form, progress })
}

impl Reader {
    /// Its form.
    #[must_use]
    pub fn format(&self) -> Format {
        match &self.form {
            Form::Capture(_) => Format::Capture,
            Form::TardisRaw(_) => Format::TardisRaw,
            Form::Messages(reader) => match reader.dialect() {
                Dialect::Tardis => Format::Normalized,
                Dialect::Relay => Format::Relay,
            },
            Form::Csv(reader) => Format::Csv(Some(reader.dataset().kind)),
        }
    }

    /// How far it has been read.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// What was met so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.form {
            Form::Capture(reader) => reader.stats(),
            Form::TardisRaw(reader) => reader.stats(),
            Form::Messages(reader) => reader.stats(),
            Form::Csv(reader) => reader.stats(),
        }
    }

    /// Venue that the recording names itself; known after the first [`Reader::advance`].
    #[must_use]
    pub fn venue(&self) -> Option<&str> {
        match &self.form {
            Form::Capture(reader) => reader.meta().venue.as_deref(),
            _ => None,
        }
    }

    /// Goes to the next record; false at the end.
    ///
    /// # Errors
    /// See [`ReplayError::is_fatal`] for whether reading may go on.
    pub fn advance(&mut self) -> Result<bool, ReplayError> {
        match &mut self.form {
            Form::Capture(reader) => reader.advance(),
            Form::TardisRaw(reader) => reader.advance(),
            Form::Messages(reader) => reader.advance(),
            Form::Csv(reader) => reader.advance(),
        }
    }

    /// The record that [`Reader::advance`] went to; `None` before it, at the end, and always in a
    /// CSV (see [`Reader::item`]).
    #[must_use]
    pub fn record(&self) -> Option<Record<'_>> {
        match &self.form {
            Form::Capture(reader) => reader.record(),
            Form::TardisRaw(reader) => reader.record(),
            Form::Messages(reader) => reader.record(),
            Form::Csv(_) => None,
        }
    }

    /// What [`Reader::advance`] went to; `None` before it and at the end.
    #[must_use]
    pub fn item(&mut self) -> Option<Item<'_>> {
        match &mut self.form {
            Form::Capture(reader) => reader.record().map(Item::Record),
            Form::TardisRaw(reader) => reader.record().map(Item::Record),
            Form::Messages(reader) => reader.record().map(Item::Record),
            Form::Csv(reader) => Some(Item::Csv(reader)),
        }
    }

    /// Receive time of what [`Reader::advance`] went to; `NO_TIME` if it has none.
    #[must_use]
    pub fn recv_ns(&self) -> i64 {
        match &self.form {
            Form::Csv(reader) => reader.recv_ns(),
            _ => self.record().map_or(NO_TIME, |record| record.recv_ns),
        }
    }
}

/// Says it where a name promises a compression that the bytes do not have.
fn misnamed(error: ReplayError, container: Container) -> ReplayError {
    let ReplayError::UnknownFormat { file, .. } = &error else { return error };
    let promised = match file.as_str() {
        name if name.ends_with(".zst") => Container::Zstd,
        name if name.ends_with(".gz") => Container::Gzip,
        _ => container,
    };
    if container != Container::Plain || promised == container {
        return error;
    }
    ReplayError::UnknownFormat {
        file: file.clone(),
        what: format!("named as a {} file, but its bytes are not", promised.name()),
        fix: "fetch it again, or give it the name of what it is",
    }
}

/// Tells the form of a text from its first line that is not empty, without taking it.
fn tell(lines: &mut Lines<Source>) -> Result<Format, ReplayError> {
    // Only raw recordings have empty lines that mean something; a file that begins with them and
    // is not raw loses nothing.
    loop {
        let found = lines.peek()?;
        let line = lines.line();
        if found == Found::End {
            return Err(match lines.cut() {
                Some(cut) => ReplayError::Truncated {
                    file: lines.name().clone(),
                    container: cut.container,
                    byte: 0,
                },
                None => ReplayError::Empty { file: lines.name().clone() },
            });
        }
        if !line.trim_ascii().is_empty() {
            break;
        }
        lines.advance()?;
    }
    tell_line(lines.line()).map_err(|what| ReplayError::UnknownFormat {
        file: lines.name().clone(),
        what,
        fix: HELP,
    })
}

fn tell_line(line: &[u8]) -> Result<Format, String> {
    if is_capture(line) {
        return Ok(Format::Capture);
    }
    if line.first() == Some(&b'{') {
        return tell_json(line);
    }
    if is_csv(line) {
        return Ok(Format::Csv(None));
    }
    let space = memchr::memchr(b' ', line.get(..64).unwrap_or(line));
    if space.and_then(|space| line.get(..space)).and_then(time::parse_iso).is_some() {
        return Ok(Format::TardisRaw);
    }
    Err(format!("not a recording, its first line is \"{}\"", quote(line)))
}

/// `digits TAB letter TAB`.
fn is_capture(line: &[u8]) -> bool {
    let digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && matches!(line.get(digits..), Some([b'\t', b'A'..=b'Z', b'\t', ..]))
}

/// Names separated by commas. Which dataset it is, or that it is none, the CSV reader says.
fn is_csv(line: &[u8]) -> bool {
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).trim_ascii_end();
    let name = |b: &u8| b.is_ascii_alphanumeric() || b"_,.[] -".contains(b);
    line.first().is_some_and(u8::is_ascii_alphabetic)
        && line.contains(&b',')
        && line.iter().all(name)
}

fn tell_json(line: &[u8]) -> Result<Format, String> {
    let names = ["localTimestamp", "message", "type", "error", "topic", "bids", "asks"];
    let fields = Value::frame(line).and_then(|value| value.object(names)).map_err(|error| {
        format!("its first line begins like JSON and is not ({error}): \"{}\"", quote(line))
    })?;
    let [local, message, kind, error, topic, bids, asks] = fields;
    if local.is_some() {
        let raw = message.is_some() && kind.is_none();
        return Ok(if raw { Format::TardisRaw } else { Format::Normalized });
    }
    let relay_kind = kind
        .and_then(|kind| kind.string().ok())
        .is_some_and(|kind| RELAY_KINDS.contains(&kind) || kind.starts_with("book_depth"));
    if topic.is_none() && (relay_kind || error.is_some() || (bids.is_some() && asks.is_some())) {
        return Ok(Format::Relay);
    }
    Err(format!("JSON lines without receive times, the first is \"{}\"", quote(line)))
}

/// Values of `type` in the relay's messages (protocols.md 7.4).
const RELAY_KINDS: [&str; 12] = [
    "trade",
    "trades",
    "orderbook",
    "snapshot",
    "delta",
    "liquidation",
    "liquidations",
    "funding",
    "derivative_ticker",
    "gap_detected",
    "error",
    "heartbeat",
];
