//! `gapless check-config`: what a configuration asks for, without a connection.

use crate::Exit;
use crate::args::CheckConfigArguments;
use gapless::engine::Builder;
use gapless::feed::command::redacted;
use gapless::feed::source::{SourceConfig, TopicConfig};
use std::path::Path;

/// Runs the command.
pub fn run(arguments: &CheckConfigArguments) -> Result<Exit, String> {
    let builder = read(&arguments.config)?;
    let mut feeds = 0;
    for live in builder.live_sources() {
        feeds += 1;
        for line in said(&live.source) {
            println!("{line}");
        }
    }
    println!("{}: ok, {feeds} feeds", arguments.config.display());
    Ok(Exit::Ok)
}

/// The engine that a file asks for.
pub fn read(path: &Path) -> Result<Builder, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    gapless::config::read(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn said(source: &SourceConfig) -> Vec<String> {
    let topics: Vec<_> = source.topics.iter().map(TopicConfig::topic).collect();
    let sockets = source.session().wiring().sockets(source.market, &topics);
    let mut lines = vec![format!(
        "{}: {} topics, {} connections, HTTP at {}",
        source.name,
        topics.len(),
        sockets.len() * source.lines.len(),
        source.rest_base()
    )];
    for line in &source.lines {
        let base = source.socket_base(line);
        lines.extend(sockets.iter().map(|socket| {
            let url = redacted(&format!("{base}{}", socket.path));
            format!("  {url} ({} topics)", socket.topics.len())
        }));
    }
    lines
}
