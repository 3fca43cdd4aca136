//! Recordings, one workload each: every `hft_*` file by itself, a venue's `cf_*` files together.
//!
//! They come from the folder that `GAPLESS_RECORDINGS` names; without it, from the project's own
//! seeded generator, and then `Catalog::generated` says so. Invariant: a workload's records are
//! in file order, and files never share a connection.

use gapless_replay::input::{self, Input};
use gapless_replay::record::RecordKind;
use gapless_sim::samples;
use gapless_venues::registry::VenueId;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The environment variable that names the folder of recordings.
pub const RECORDINGS: &str = "GAPLESS_RECORDINGS";

/// One record of a recording, owned.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it is.
    pub kind: RecordKind,
    /// Receive time, ns since the epoch.
    pub recv_ns: i64,
    /// Connection, or URL of a REST body.
    pub source: String,
    /// The bytes.
    pub payload: Vec<u8>,
}

/// Records of one or more files, measured as one.
#[derive(Clone, Debug)]
pub struct Workload {
    /// `venue/file` or `venue/cf`.
    pub name: String,
    /// Whose frames these are: the name of a venue or dialect.
    pub venue: String,
    /// The records of each file.
    pub files: Vec<Vec<Record>>,
}

/// A workload that was not read yet.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The folder's name: a venue's, or `tardis`.
    pub venue: String,
    contents: Contents,
}

#[derive(Clone, Debug)]
enum Contents {
    Files(Vec<PathBuf>),
    Text(Vec<u8>),
}

/// Everything that there is to measure with.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// The workloads.
    pub entries: Vec<Entry>,
    /// Packed Tardis incremental_book_L2 files.
    pub csv: Vec<PathBuf>,
    /// The generator made them: there are no recordings here.
    pub generated: bool,
}

/// Folders of recordings; each is named as its venue.
const FOLDERS: [&str; 7] =
    ["binance_usdm", "binance_spot", "binance_coinm", "binance_us", "bybit", "okx", "deribit"];

impl Catalog {
    /// What the environment names, or what the generator makes.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn find() -> std::io::Result<Self> {
        match std::env::var_os(RECORDINGS) {
            Some(folder) => Self::recorded(Path::new(&folder)),
            None => Self::generated(),
        }
    }

    fn recorded(folder: &Path) -> std::io::Result<Self> {
        let mut entries = Vec::new();
        for venue in FOLDERS {
            let files = files_in(&folder.join(venue), ".cap.zst")?;
            for file in files.iter().filter(|file| starts(file, "hft_")) {
                let stem = name_of(file).trim_end_matches(".cap.zst").to_owned();
                entries.push(entry(venue, &stem, vec![file.clone()]));
            }
            let rest: Vec<_> = files.into_iter().filter(|file| starts(file, "cf_")).collect();
            if !rest.is_empty() {
                entries.push(entry(venue, "cf", rest));
            }
        }
        let derived = folder.join("tardis_derived");
        let messages = files_in(&derived, ".normalized.ndjson.zst")?;
        entries.push(entry("tardis", "normalized", messages));
        let csv = files_in(&derived, ".incremental_book_L2.csv.gz")?;
        Ok(Self { entries, csv, generated: false })
    }

    fn generated() -> std::io::Result<Self> {
        let mut entries = Vec::new();
        for sample in samples::all(samples::SEED) {
            let venue = match sample.container {
                samples::Container::Capture => sample.name,
                samples::Container::Normalized => "tardis",
                samples::Container::Csv => continue,
            };
            if venue == "tardis" || VenueId::from_name(venue).is_some() {
                let (name, contents) = (format!("{venue}/generated"), sample.text()?);
                let contents = Contents::Text(contents);
                entries.push(Entry { name, venue: venue.to_owned(), contents });
            }
        }
        Ok(Self { entries, csv: Vec::new(), generated: true })
    }
}

impl Entry {
    /// Reads the records; what a recording cannot give is left out.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn load(&self) -> Result<Workload, gapless_replay::ReplayError> {
        let mut files = Vec::new();
        match &self.contents {
            Contents::Text(text) => {
                let name = gapless_replay::error::FileName::new(&self.name);
                files.push(read(input::open_stream(Cursor::new(text.clone()), name, None)?));
            }
            Contents::Files(paths) => {
                for path in paths {
                    files.push(read(input::open(&Input::file(path), None)?));
                }
            }
        }
        Ok(Workload { name: self.name.clone(), venue: self.venue.clone(), files })
    }
}

fn read(mut reader: input::Reader) -> Vec<Record> {
    let mut records = Vec::new();
    while let Ok(true) = reader.advance() {
        let Some(record) = reader.record() else { continue };
        records.push(Record {
            kind: record.kind,
            recv_ns: record.recv_ns,
            source: record.source.to_owned(),
            payload: record.payload.to_vec(),
        });
    }
    records
}

fn entry(venue: &str, name: &str, files: Vec<PathBuf>) -> Entry {
    let name = format!("{venue}/{name}");
    Entry { name, venue: venue.to_owned(), contents: Contents::Files(files) }
}

/// Files of a folder with this ending, sorted; none if there is no such folder.
fn files_in(folder: &Path, ending: &str) -> std::io::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|file| file.ok().map(|file| file.path()))
        .filter(|path| name_of(path).ends_with(ending))
        .collect();
    files.sort();
    Ok(files)
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

fn starts(path: &Path, with: &str) -> bool {
    name_of(path).starts_with(with)
}
