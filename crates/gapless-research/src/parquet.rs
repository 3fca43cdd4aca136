//! Extracts to Parquet: `venue=V/channel=KIND/date=YYYY-MM-DD/symbol=S/NAME-N.parquet`.
//!
//! Rows of a file are in receive-time order; prices and sizes are what [`Numbers`] says, integers
//! with their scale in the field's metadata. A file appears under its name when it is whole, so
//! that writing the same extract again replaces it and a writer that died leaves no half file
//! behind.
//!
//! [`Numbers`]: crate::table::Numbers

use crate::ExtractError;
use crate::extract::{Options, TableKind};
use crate::read::{Batch, Next, Reader, Reading};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampNanosecondType};
use arrow_array::{RecordBatch, StringArray, UInt32Array};
use arrow_select::take::take_record_batch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files that are written at once; beyond, the one that was idle for longest is ended.
pub const OPEN_MAX: usize = 256;
/// Bytes that the files being written may hold in memory before they are written out.
pub const BUFFERED_MAX: usize = 256 * 1024 * 1024;
const DAY_NS: i64 = 86_400_000_000_000;

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// Its rows.
    pub rows: u64,
}

/// Which folder a row belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    kind: TableKind,
    venue: String,
    symbol: String,
    day: i64,
}

impl Key {
    fn folder(&self, root: &Path) -> PathBuf {
        root.join(format!("venue={}", escaped(&self.venue)))
            .join(format!("channel={}", self.kind.name()))
            .join(format!("date={}", date(self.day)))
            .join(format!("symbol={}", escaped(&self.symbol)))
    }
}

/// A name that no file system takes for a path, as Hive writes it.
fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if plain(byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    // `.` and `..` would be folders.
    if text.bytes().all(|byte| byte == b'.') { text.replace('.', "%2E") } else { text }
}

/// The civil date of a day since the epoch (Hinnant, `civil_from_days`).
fn date(day: i64) -> String {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (d, m) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let y = yoe + era * 400 + i64::from(m <= 2);
    format!("{y:04}-{m:02}-{d:02}")
}

struct Part {
    writer: ArrowWriter<File>,
    path: PathBuf,
    rows: u64,
    used: u64,
}

/// Files being written.
struct Parts {
    root: PathBuf,
    name: String,
    open: HashMap<Key, Part>,
    counts: HashMap<Key, u32>,
    written: Vec<Written>,
    turn: u64,
}

/// Writes an extract below a folder; `tick` is told of the progress some times a second and says
/// whether to go on. Files are called `name-N.parquet`: units of one data set need names of their
/// own. Says what was written; nothing if it was stopped.
///
/// # Errors
/// An input that cannot be read, a value that does not fit, a file that cannot be written.
pub fn write(
    paths: &[String],
    options: Options,
    reading: Reading,
    (folder, name): (&Path, &str),
    mut tick: impl FnMut(&Reader) -> bool,
) -> Result<Option<Vec<Written>>, ExtractError> {
    let mut reader = Reader::batches(paths, options, Reading { ordered: true, ..reading })?;
    let mut parts = Parts {
        root: folder.to_owned(),
        name: escaped(name),
        open: HashMap::new(),
        counts: HashMap::new(),
        written: Vec::new(),
        turn: 0,
    };
    loop {
        let next = reader.next(Duration::from_millis(50))?;
        if !tick(&reader) {
            parts.abandon();
            return Ok(None);
        }
        match next {
            Next::Batch(batch) => parts.put(&batch)?,
            Next::Waiting => {}
            Next::End => return parts.finish().map(Some),
        }
    }
}

impl Parts {
    fn put(&mut self, batch: &Batch) -> Result<(), ExtractError> {
        for (key, rows) in split(batch)? {
            self.turn += 1;
            if !self.open.contains_key(&key) {
                self.make_room()?;
                let part = self.begin(&key, &rows)?;
                self.open.insert(key.clone(), part);
            }
            if let Some(part) = self.open.get_mut(&key) {
                part.used = self.turn;
                part.rows += rows.num_rows() as u64;
                part.writer.write(&rows).map_err(|error| failed(&part.path, &error))?;
            }
        }
        self.bound()
    }

    fn begin(&mut self, key: &Key, rows: &RecordBatch) -> Result<Part, ExtractError> {
        let folder = key.folder(&self.root);
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
        let count = self.counts.entry(key.clone()).or_insert(0);
        let path = folder.join(format!("{}-{count}.parquet", self.name));
        *count += 1;
        let unfinished = unfinished(&path);
        let file = File::create(&unfinished).map_err(|error| failed(&unfinished, &error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(format!("gapless {}", env!("CARGO_PKG_VERSION")))
            .build();
        let writer = ArrowWriter::try_new(file, rows.schema(), Some(properties))
            .map_err(|error| failed(&path, &error))?;
        Ok(Part { writer, path, rows: 0, used: self.turn })
    }

    fn make_room(&mut self) -> Result<(), ExtractError> {
        while self.open.len() >= OPEN_MAX {
            let idle = self.open.iter().min_by_key(|(_, part)| part.used);
            let Some(key) = idle.map(|(key, _)| key.clone()) else { break };
            if let Some(part) = self.open.remove(&key) {
                self.end(part)?;
            }
        }
        Ok(())
    }

    /// Writes row groups out where memory fills up.
    fn bound(&mut self) -> Result<(), ExtractError> {
        let held = |part: &Part| part.writer.in_progress_size();
        if self.open.values().map(held).sum::<usize>() <= BUFFERED_MAX {
            return Ok(());
        }
        for part in self.open.values_mut() {
            part.writer.flush().map_err(|error| failed(&part.path, &error))?;
        }
        Ok(())
    }

    fn end(&mut self, part: Part) -> Result<(), ExtractError> {
        let Part { writer, path, rows, .. } = part;
        let file = writer.into_inner().map_err(|error| failed(&path, &error))?;
        file.sync_all().map_err(|error| failed(&path, &error))?;
        fs::rename(unfinished(&path), &path).map_err(|error| failed(&path, &error))?;
        self.written.push(Written { path, rows });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Written>, ExtractError> {
        for (_, part) in core::mem::take(&mut self.open) {
            self.end(part)?;
        }
        self.written.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(core::mem::take(&mut self.written))
    }

    fn abandon(&mut self) {
        for (_, part) in self.open.drain() {
            // What cannot be removed is seen by its name to be unfinished.
            let _ = fs::remove_file(unfinished(&part.path));
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.abandon();
    }
}

fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("parquet.unfinished")
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> ExtractError {
    ExtractError::Write { path: path.display().to_string(), what: error.to_string() }
}

/// The rows of each folder, without the columns that its path says.
fn split(batch: &Batch) -> Result<Vec<(Key, RecordBatch)>, ExtractError> {
    let rows = &batch.rows;
    let times = rows.column_by_name("recv_ns").and_then(|column| {
        column.as_primitive_opt::<TimestampNanosecondType>().map(|times| times.values().clone())
    });
    let (venues, symbols) = (codes(rows, "venue"), codes(rows, "symbol"));
    let (Some(times), Some((venue, venues)), Some((symbol, symbols))) = (times, venues, symbols)
    else {
        return Err(ExtractError::Table("rows without time, venue and symbol".to_owned()));
    };
    let mut groups: BTreeMap<(i32, i32, i64), Vec<u32>> = BTreeMap::new();
    for (at, ((time, venue), symbol)) in (0u32..).zip(times.iter().zip(venue).zip(symbol)) {
        let day = time.div_euclid(DAY_NS);
        groups.entry((*venue, *symbol, day)).or_default().push(at);
    }
    let kept: Vec<usize> = (0..rows.num_columns())
        .filter(|at| !matches!(rows.schema().field(*at).name().as_str(), "venue" | "symbol"))
        .collect();
    let rows = rows.project(&kept).map_err(|error| ExtractError::Arrow(error.to_string()))?;
    let word = |words: &StringArray, code: i32| {
        usize::try_from(code).map_or(String::new(), |code| words.value(code).to_owned())
    };
    let mut parts = Vec::with_capacity(groups.len());
    for ((venue, symbol, day), indices) in groups {
        let (venue, symbol) = (word(venues, venue), word(symbols, symbol));
        let part = take_record_batch(&rows, &UInt32Array::from(indices))
            .map_err(|error| ExtractError::Arrow(error.to_string()))?;
        parts.push((Key { kind: batch.kind, venue, symbol, day }, part));
    }
    Ok(parts)
}

/// Codes and words of a column.
fn codes<'a>(rows: &'a RecordBatch, name: &str) -> Option<(&'a [i32], &'a StringArray)> {
    let column = rows.column_by_name(name)?.as_dictionary_opt::<Int32Type>()?;
    Some((column.keys().values(), column.values().as_string_opt::<i32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(20_778), "2026-11-21");
        assert_eq!(date(-1), "1969-12-31");
    }

    #[test]
    fn no_symbol_leaves_its_folder() {
        assert_eq!(escaped("BTC-USDT_1.5"), "BTC-USDT_1.5");
        assert_eq!(escaped("../x"), "..%2Fx");
        assert_eq!(escaped(".."), "%2E%2E");
        assert_eq!(escaped("a/b=c"), "a%2Fb%3Dc");
    }
}
