//! The `gapless` command as a library, for the binary and for the entry point of the Python wheel.
//!
//! Exit codes: 0 ok, 1 failure, 2 usage, 3 data gap found (`verify`), 130 interrupted.
#![forbid(unsafe_code)]

mod args;
mod check_config;
mod demo;
mod json;
mod latency;
mod plot;
#[cfg(unix)]
mod record;
#[cfg(target_os = "linux")]
mod regions;
mod replay;
mod sim;
mod table;
mod tally;
mod verify;
mod watch;

use args::{Arguments, Command};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// All is well.
    Ok = 0,
    /// Something failed; it was said on standard error.
    Failure = 1,
    /// A gap, crossed book or refused message was found.
    DataGap = 3,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

/// Runs a command line, the name of the program first, and says the exit code.
///
/// Takes over Ctrl-C while a replay runs: whoever hosts it gives it the process.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where nobody reads what it says, the code still tells.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    if let Some(inputs) = arguments.command.inputs()
        && let (Some(from), Some(to)) = (inputs.from, inputs.to)
        && from >= to
    {
        let what = "--from is not before --to, so nothing would be read\n";
        let error = Arguments::command().error(ErrorKind::ValueValidation, what);
        let _ = error.print();
        return u8::try_from(error.exit_code()).unwrap_or(2);
    }
    let exit = match arguments.command {
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Latency(arguments) => latency::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        #[cfg(unix)]
        Command::Record(arguments) => record::run(&arguments),
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Books(arguments) => regions::books(&arguments),
        #[cfg(target_os = "linux")]
        Command::Read(arguments) => regions::read(&arguments),
    };
    let exit = exit.unwrap_or_else(|message| {
        eprintln!("gapless: {message}");
        Exit::Failure
    });
    exit as u8
}
