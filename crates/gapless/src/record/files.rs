//! The writer's side: captures in a folder, one after the other.

use super::{Item, RecordConfig, Recorded};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use gapless_feed::SourceConfig;
use gapless_replay::capture::{WriteError, Writer};
use gapless_replay::record::{Record, RecordKind};
use rustix::fs::{FlockOperation, flock};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What was written is closed and synced this often: a process that is killed loses no more.
const CLOSE_EVERY: Duration = Duration::from_millis(900);
/// zstd: fast enough for the busiest venues on a part of a core.
const LEVEL: i32 = 3;

/// Takes a folder, alone.
pub(super) fn lock(folder: &Path) -> Result<File, String> {
    let said = |error: io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(said)?;
    let path = folder.join(".gapless-record.lock");
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(said)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| format!("{}: another recorder writes here", folder.display()))?;
    Ok(file)
}

struct OpenFile {
    path: PathBuf,
    writer: Writer<File>,
    size: File,
    since: Instant,
    closed: Instant,
    /// Connections that have not ended in it.
    open: usize,
    is_dirty: bool,
}

/// The files of a source.
pub(super) struct Files {
    name: String,
    venue: &'static str,
    config: RecordConfig,
    waiting: Arc<AtomicUsize>,
    /// Asks the feed to replace its connections.
    ask: Sender<()>,
    /// The last one takes new connections.
    files: Vec<OpenFile>,
    /// Where a connection is written.
    places: HashMap<u32, PathBuf>,
    /// The next connection that opens begins a file.
    is_turning: bool,
    done: Recorded,
    is_broken: bool,
}

impl Files {
    pub fn new(
        source: &SourceConfig,
        config: &RecordConfig,
        waiting: Arc<AtomicUsize>,
        ask: Sender<()>,
    ) -> Self {
        let done = Recorded { name: source.name.clone(), ..Recorded::default() };
        Self {
            name: source.name.clone(),
            venue: source.venue.name(),
            config: config.clone(),
            waiting,
            ask,
            files: Vec::new(),
            places: HashMap::new(),
            is_turning: true,
            done,
            is_broken: false,
        }
    }

    /// Writes what comes until nothing comes any more.
    pub fn write(mut self, queue: &Receiver<Item>) -> Recorded {
        loop {
            match queue.recv_timeout(CLOSE_EVERY / 3) {
                Ok(item) => {
                    self.waiting.fetch_sub(item.payload.len(), Ordering::Relaxed);
                    let written = self.item(&item);
                    self.note(written);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let kept = self.keep();
            self.note(kept);
        }
        for file in std::mem::take(&mut self.files) {
            let ended = end(file);
            self.note(ended);
        }
        self.done
    }

    /// A disk that fails is told once; what follows is counted.
    fn note(&mut self, result: Result<(), WriteError>) {
        match result {
            Ok(()) => {}
            Err(WriteError::Refused(_)) => self.done.dropped += 1,
            Err(error) => {
                self.done.dropped += 1;
                if !std::mem::replace(&mut self.is_broken, true) {
                    self.done.errors.push(error.to_string());
                }
            }
        }
    }

    fn item(&mut self, item: &Item) -> Result<(), WriteError> {
        if self.is_broken {
            self.done.dropped += 1;
            return Ok(());
        }
        if item.kind == RecordKind::Open {
            self.begin(item)?;
        }
        let Some(path) = self.places.get(&item.line) else { return Ok(()) };
        let Some(file) = self.files.iter_mut().find(|file| file.path == *path) else {
            return Ok(());
        };
        let connection = format!("ws{}", item.line);
        let source = if item.kind == RecordKind::Http { &item.url } else { &connection };
        let (recv_ns, kind, payload) = (item.recv_ns, item.kind, &item.payload);
        file.is_dirty = true;
        file.writer.record(&Record { recv_ns, kind, source, payload, line: 0 })?;
        self.done.records += 1;
        self.done.bytes += payload.len() as u64;
        if kind == RecordKind::Disconnect {
            self.leave(item.line)?;
        }
        Ok(())
    }

    /// A connection begins: in the newest file, or in the next.
    fn begin(&mut self, item: &Item) -> Result<(), WriteError> {
        if self.is_turning || self.files.is_empty() {
            self.is_turning = false;
            self.create(item.recv_ns)?;
            self.end_unused()?;
        }
        self.leave(item.line)?;
        if let Some(file) = self.files.last_mut() {
            file.open += 1;
            self.places.insert(item.line, file.path.clone());
        }
        Ok(())
    }

    /// A connection has ended: a file without any that is not the newest is done.
    fn leave(&mut self, line: u32) -> Result<(), WriteError> {
        let Some(path) = self.places.remove(&line) else { return Ok(()) };
        if let Some(file) = self.files.iter_mut().find(|file| file.path == path) {
            file.open = file.open.saturating_sub(1);
        }
        self.end_unused()
    }

    fn end_unused(&mut self) -> Result<(), WriteError> {
        let mut at = 0;
        while at + 1 < self.files.len() {
            if self.files.get(at).is_some_and(|file| file.open == 0) {
                end(self.files.remove(at))?;
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    fn create(&mut self, recv_ns: i64) -> Result<(), WriteError> {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let name: String = self.name.chars().map(plain).collect();
        let path = self.config.folder.join(format!("{name}-{}.cap.zst", wall.as_millis()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let size = file.try_clone()?;
        let mut writer = Writer::zstd(file, LEVEL)?;
        writer.meta(recv_ns, self.venue, concat!("gapless ", env!("CARGO_PKG_VERSION")))?;
        let now = Instant::now();
        self.done.files.push(path.clone());
        let (since, closed, is_dirty) = (now, now, true);
        self.files.push(OpenFile { path, writer, size, since, closed, open: 0, is_dirty });
        Ok(())
    }

    /// Closes frames that are old enough, and turns to the next file when this one is.
    fn keep(&mut self) -> Result<(), WriteError> {
        if self.is_broken {
            return Ok(());
        }
        for file in &mut self.files {
            if file.is_dirty && file.closed.elapsed() >= CLOSE_EVERY {
                file.writer.close_frame()?;
                file.size.sync_data()?;
                (file.closed, file.is_dirty) = (Instant::now(), false);
                let is_large = file.size.metadata()?.len() >= self.config.file_bytes;
                let is_old = file.since.elapsed() >= self.config.file_age;
                if (is_large || is_old) && !self.is_turning && file.open > 0 {
                    // Once for each file: the next one begins with the replacement.
                    self.is_turning = self.ask.try_send(()).is_ok();
                }
            }
        }
        Ok(())
    }
}

fn end(file: OpenFile) -> Result<(), WriteError> {
    let file = file.writer.finish()?;
    file.sync_all()?;
    Ok(())
}
