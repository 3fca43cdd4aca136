//! `gapless record`: what venues send, written as captures.

use crate::args::RecordArguments;
use crate::{Exit, check_config};
use gapless::LiveConfig;
use gapless::record::{RecordConfig, Recorder};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Time between two looks whether it still records.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs the command.
pub fn run(arguments: &RecordArguments) -> Result<Exit, String> {
    let builder = check_config::read(&arguments.config)?;
    let sources: Vec<LiveConfig> = builder.live_sources().cloned().collect();
    if sources.is_empty() {
        return Err(format!("{}: has no live source", arguments.config.display()));
    }
    let (stop, stopped) = sync_channel::<()>(1);
    ctrlc::set_handler(move || {
        let _ = stop.try_send(());
    })
    .map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    let config = RecordConfig {
        file_bytes: arguments.file_mib << 20,
        file_age: Duration::from_secs(arguments.file_seconds),
        ..RecordConfig::new(&arguments.out)
    };
    let recorder = Recorder::start(&sources, &config)?;
    let end = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut exit = Exit::Ok;
    while end.is_none_or(|end| Instant::now() < end) && !recorder.has_failed() {
        if stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
            exit = Exit::Interrupted;
            break;
        }
    }
    for recorded in recorder.stop() {
        let (name, files) = (&recorded.name, recorded.files.len());
        let (records, bytes, dropped) = (recorded.records, recorded.bytes, recorded.dropped);
        println!("{name}: {records} records, {bytes} bytes, {dropped} dropped, {files} files");
        for error in &recorded.errors {
            eprintln!("gapless: {name}: {error}");
            exit = Exit::Failure;
        }
    }
    Ok(exit)
}
