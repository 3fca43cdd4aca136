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
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What was written is closed and synced this often: a process that is killed loses no more.
const CLOSE_EVERY: Duration = Duration::from_millis(900);
/// The next file is asked for again after so long without one.
const ASK_EVERY: Duration = Duration::from_secs(60);
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
    /// When the next file was asked for.
    asked: Option<Instant>,
}

/// The files of a source.
pub(super) struct Files {
    name: String,
    venue: &'static str,
    config: RecordConfig,
    waiting: Arc<AtomicUsize>,
    /// Tells that the disk has failed.
    broken: Arc<AtomicBool>,
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
        (waiting, broken): (Arc<AtomicUsize>, Arc<AtomicBool>),
        ask: Sender<()>,
    ) -> Self {
        let done = Recorded { name: source.name.clone(), ..Recorded::default() };
        Self {
            name: source.name.clone(),
            venue: source.venue.name(),
            config: config.clone(),
            waiting,
            broken,
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

    /// A disk that fails is told once, at once; what follows is counted.
    fn note(&mut self, result: Result<(), WriteError>) {
        match result {
            Ok(()) => {}
            Err(WriteError::Refused(_)) => self.done.dropped += 1,
            Err(error) => {
                self.done.dropped += 1;
                if !std::mem::replace(&mut self.is_broken, true) {
                    self.broken.store(true, Ordering::Relaxed);
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
        let path = self.places.get(&item.line);
        let Some(file) = path.and_then(|p| self.files.iter_mut().find(|file| file.path == *p))
        else {
            self.done.dropped += 1;
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
        let (since, closed, asked) = (now, now, None);
        self.files.push(OpenFile {
            path,
            writer,
            size,
            since,
            closed,
            open: 0,
            is_dirty: true,
            asked,
        });
        Ok(())
    }

    /// Closes frames that are old enough, and turns to the next file when this one is.
    fn keep(&mut self) -> Result<(), WriteError> {
        if self.is_broken {
            return Ok(());
        }
        let newest = self.files.len().saturating_sub(1);
        let mut is_time = false;
        for (at, file) in self.files.iter_mut().enumerate() {
            if file.is_dirty && file.closed.elapsed() >= CLOSE_EVERY {
                file.writer.close_frame()?;
                file.size.sync_data()?;
                (file.closed, file.is_dirty) = (Instant::now(), false);
                is_time |= at == newest;
            }
        }
        if is_time { self.turn() } else { Ok(()) }
    }

    /// Asks for connections that begin the next file, once the newest is large or old.
    fn turn(&mut self) -> Result<(), WriteError> {
        let Some(file) = self.files.last_mut() else { return Ok(()) };
        // Connections that were being replaced already begin nothing: it is asked for again.
        let may_ask = file.asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY);
        if !may_ask || file.open == 0 {
            return Ok(());
        }
        let is_large = file.size.metadata()?.len() >= self.config.file_bytes;
        if (is_large || file.since.elapsed() >= self.config.file_age)
            && self.ask.try_send(()).is_ok()
        {
            (file.asked, self.is_turning) = (Some(Instant::now()), true);
        }
        Ok(())
    }
}

fn end(file: OpenFile) -> Result<(), WriteError> {
    let file = file.writer.finish()?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;
    use gapless_venues::registry::VenueId;
    use std::thread::sleep;

    /// Files of a source in a folder of their own, and what they ask for.
    fn files(name: &str, file_age: Duration) -> (Files, Receiver<()>, Arc<AtomicBool>) {
        let folder = std::env::temp_dir().join(format!("gapless-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let config = RecordConfig { file_age, ..RecordConfig::new(folder) };
        let source = SourceConfig::new("test", VenueId::BinanceSpot, Vec::new());
        let (ask, asked) = bounded(1);
        let broken = Arc::new(AtomicBool::new(false));
        (Files::new(&source, &config, (Arc::default(), broken.clone()), ask), asked, broken)
    }

    fn put(files: &mut Files, line: u32, kind: RecordKind) {
        let item = Item { line, recv_ns: 1, kind, url: String::new(), payload: b"{}".to_vec() };
        let written = files.item(&item);
        files.note(written);
    }

    fn keep(files: &mut Files, after: Duration) -> Result<(), WriteError> {
        sleep(after);
        files.keep()
    }

    #[test]
    fn a_replacement_that_takes_long_does_not_end_the_turning_of_files() {
        let (mut files, asked, _) = files("turning", Duration::from_millis(1_500));
        put(&mut files, 0, RecordKind::Open);
        keep(&mut files, Duration::from_millis(1_600)).unwrap();
        assert!(asked.try_recv().is_ok(), "the first file is old");
        put(&mut files, 1, RecordKind::Open);
        for line in [0, 1] {
            put(&mut files, line, RecordKind::Frame);
        }
        keep(&mut files, Duration::from_millis(950)).unwrap();
        assert!(asked.try_recv().is_err(), "the second file is young");
        put(&mut files, 0, RecordKind::Disconnect);
        put(&mut files, 1, RecordKind::Frame);
        keep(&mut files, Duration::from_millis(950)).unwrap();
        assert!(asked.try_recv().is_ok(), "the second file is old");
        let _ = std::fs::remove_dir_all(&files.config.folder);
    }

    #[test]
    fn what_no_file_was_begun_for_and_a_disk_that_fails_are_counted_and_said() {
        let (mut files, _asked, broken) = files("broken", Duration::from_secs(3_600));
        put(&mut files, 7, RecordKind::Frame);
        assert_eq!((files.done.dropped, broken.load(Ordering::Relaxed)), (1, false));
        std::fs::remove_dir_all(&files.config.folder).unwrap();
        put(&mut files, 7, RecordKind::Open);
        assert_eq!((files.done.dropped, broken.load(Ordering::Relaxed)), (2, true));
        assert_eq!(files.done.errors.len(), 1);
    }
}
