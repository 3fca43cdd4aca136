//! HTTP as far as clients of exchanges need it: heads, bodies with a length, and the truth.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Asked;
use crate::dialect::json::{Object, array};
use crate::exchange::{Answer, BodyFault, Exchange, Request, Truth};
use gapless_book::event::Side;

/// Bytes of a request's head.
const HEAD_MAX: usize = 16 * 1024;
/// Bytes of a request's body.
const BODY_MAX: usize = 64 * 1024;
/// Parts of a body that trickles.
const DROPS: u32 = 16;

/// The next request of a connection; `None` where it ended.
pub async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Asked>> {
    let peer = match stream.peer_addr()?.ip() {
        IpAddr::V4(address) => address.to_bits(),
        // Those of the other kind share what one address may do.
        IpAddr::V6(_) => 0,
    };
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > HEAD_MAX {
            return Err(io::Error::other("the head of a request is too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    let headers: Vec<_> = lines.filter_map(header).collect();
    let mut asked = Asked { method, target, headers, body: String::new(), peer };
    let length = asked.with(|request| request.header("content-length")?.parse::<usize>().ok());
    let length = length.unwrap_or(0);
    if length > BODY_MAX {
        return Err(io::Error::other("the body of a request is too long"));
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    asked.body = String::from_utf8_lossy(&buffer[..length]).into_owned();
    buffer.drain(..length);
    Ok(Some(asked))
}

/// Writes an answer in its own time; whether the connection can go on.
pub async fn write(stream: &mut TcpStream, answer: &Answer) -> io::Result<bool> {
    tokio::time::sleep(std::time::Duration::from_nanos(answer.delay_ns)).await;
    let (status, length) = (answer.status, answer.body.len());
    let mut head = format!("HTTP/1.1 {status} simulated\r\nContent-Length: {length}\r\n");
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    match answer.body_fault {
        BodyFault::None => stream.write_all(&answer.body).await?,
        BodyFault::Cut => {
            stream.write_all(&answer.body[..length / 2]).await?;
            stream.shutdown().await?;
            return Ok(false);
        }
        BodyFault::Dribble(ns) => trickle(stream, &answer.body, ns).await?,
    }
    stream.flush().await?;
    Ok(true)
}

/// Writes bytes in drops over a time.
pub async fn trickle(stream: &mut TcpStream, bytes: &[u8], ns: u64) -> io::Result<()> {
    let pause = std::time::Duration::from_nanos(ns) / DROPS;
    for drop in bytes.chunks(bytes.len().div_ceil(DROPS as usize).max(1)) {
        stream.write_all(drop).await?;
        stream.flush().await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// Answers `/truth…`, which no venue has: the books by name and sequence, for scripted checks.
///
/// - `/truth`: topics of books with their newest sequence.
/// - `/truth/NAME?seq=N`: the books of a topic or a symbol, with their hash.
/// - `/truth/-/counts`: what happened and which faults struck.
/// - `/truth/-/pause`, `/truth/-/resume`: the market stands still, or goes on.
pub fn truth(exchange: &mut Exchange, rest: &str) -> Answer {
    let request = Request::get(rest);
    match request.path() {
        "" | "/" => {
            let row = |(topic, seq): (&str, i64)| {
                Object::new().text("topic", topic).raw("seq", seq).close()
            };
            let rows: Vec<String> = exchange.books().map(row).collect();
            Answer::json(array(rows.into_iter()))
        }
        "/-/counts" => Answer::json(counts(exchange)),
        path @ ("/-/pause" | "/-/resume") => {
            exchange.pause(path == "/-/pause");
            Answer::json("{}")
        }
        path => {
            let seq = request.query("seq").and_then(|seq| seq.parse().ok());
            let found = exchange.truths(path.trim_start_matches('/'), seq);
            let status = if found.is_empty() { 404 } else { 200 };
            let mut answer = Answer::json(array(found.iter().map(book)));
            answer.status = status;
            answer
        }
    }
}

fn counts(exchange: &Exchange) -> String {
    let counted = exchange.counts().iter();
    let counted = counted.fold(Object::new(), |object, (what, n)| object.raw(what, n)).close();
    let faults = exchange.fault_counts().iter();
    let faults = faults.fold(Object::new(), |object, (what, n)| object.raw(what, n)).close();
    Object::new().raw("counts", counted).raw("faults", faults).close()
}

fn book(truth: &Truth) -> String {
    let grid = truth.book.grid();
    let side =
        |side: Side| {
            array(truth.book.levels(side).map(|level| {
                format!(r#"["{}","{}"]"#, grid.price(level.ticks), grid.qty(level.lots))
            }))
        };
    let row = Object::new().text("topic", &truth.topic).text("symbol", &truth.symbol);
    let row = row.raw("seq", truth.seq).text("book_sha256", truth.book.canonical_sha256());
    row.raw("bids", side(Side::Bid)).raw("asks", side(Side::Ask)).close()
}
