//! Bodies of HTTP answers, and what an answer means to whoever asks next.

use crate::envelope::Envelope;
use crate::scan::{Field, Value};
use crate::scratch::{LevelForm, Scratch};
use crate::url;
use crate::venue::{HttpAnswer, Origin, RestVerdict};
use crate::wire::{EventSink, WireError, WireErrorKind};
use gapless_book::event::{Body, BookKind, Flags, RequestId, SeqInfo};

/// The venue names no time to wait: two windows of its book requests (protocols.md 4.5).
const BACK_OFF_MS: u64 = 2_000;

/// Reads an answer's fields `code`, `msg` and `data`.
pub(super) fn parse<'a, S: EventSink>(
    envelope: Envelope<'a>,
    origin: Origin<'a>,
    fields: [Option<Value<'a>>; 3],
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let envelope = envelope.marked(Flags::REST);
    let url = match origin {
        Origin::Rest { url } => url,
        Origin::Socket { .. } => "",
    };
    // The body of a book does not name its instrument.
    let symbol = url::parameter(url, "instId").unwrap_or("");
    let channel = if url::path(url).ends_with("/books-full") { "books-full" } else { "books" };
    let named = Envelope { symbol, channel, ..envelope };
    let limit = url::parameter(url, "sz").and_then(|limit| limit.parse().ok());
    if let Err(error) = answer(envelope, named, limit, fields, scratch, sink) {
        named.refuse(error, true, sink);
    }
}

/// `named` is for books, `envelope` for all else.
fn answer<'a, S: EventSink>(
    envelope: Envelope<'a>,
    named: Envelope<'a>,
    limit: Option<u16>,
    [code, message, data]: [Option<Value<'a>>; 3],
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let code = code.need("code")?.text()?;
    if code != "0" {
        let message = message.map_or("", Value::raw);
        let id = RequestId::default();
        envelope.emit(Body::Error { id, code, message, retry_after_s: None }, sink);
        return Ok(());
    }
    let first = data.need("data")?.elements()?.next().transpose()?;
    let Some(book) = first.filter(|first| first.is_object()) else {
        envelope.emit(Body::Other, sink);
        return Ok(());
    };
    let [symbol, bids, asks, ts, id] = book.object(["instId", "bids", "asks", "ts", "seqId"])?;
    if bids.is_none() && asks.is_none() {
        envelope.emit(Body::Other, sink);
        return Ok(());
    }
    let symbol = if named.symbol.is_empty() { symbol.text_or_empty()? } else { named.symbol };
    let named = Envelope { symbol, ..named }.at(ts, None)?;
    let ids = SeqInfo { last: id.optional_int()?, ..SeqInfo::default() };
    // The full book's third element is the order count, the other's is nothing.
    scratch.read_sides(LevelForm::Pair, bids, asks, false)?;
    let message = scratch.message(BookKind::Snapshot, ids, limit);
    sink.book(&named.event(Body::Book(message)), &[]);
    Ok(())
}

/// What an answer means.
pub(super) fn verdict(answer: &HttpAnswer<'_>) -> RestVerdict {
    let code = Value::frame(answer.body).and_then(|body| body.field("code")?.optional_int());
    match (answer.status, code) {
        (200, Ok(Some(0))) => RestVerdict::Ok,
        // 50011, 50061: too many requests; 50001, 50004, 50013, 50026: the service's own trouble.
        (_, Ok(Some(50_011 | 50_061 | 50_001 | 50_004 | 50_013 | 50_026)))
        | (429 | 500.., _)
        | (200, Err(WireError { kind: WireErrorKind::Syntax | WireErrorKind::Truncated, .. })) => {
            RestVerdict::Retry { wait_ms: BACK_OFF_MS }
        }
        (401, _) | (_, Ok(Some(50_100..=50_119))) => RestVerdict::Auth,
        // No such instrument.
        (_, Ok(Some(51_001))) => RestVerdict::Refused,
        _ => RestVerdict::unlisted(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Okx;
    use super::*;
    use crate::seen::rest;

    const BOOK: &str = concat!(
        r#"{"code":"0","msg":"","data":[{"asks":[["2.5","1","0","7"]],"bids":[["2.4","3","0"]],"#,
        r#""ts":"1700000000650","seqId":335}]}"#,
    );

    #[test]
    fn the_url_names_the_instrument_of_a_book() {
        let url = "https://www.okx.com/api/v5/market/books?sz=400&instId=A-B";
        let times = "t1700000000650000000 Milli rest last=335";
        let levels = "bids[3@2.4] asks[1@2.5]";
        let expected = format!("snapshot books A-B {times} limit=400 {levels}");
        assert_eq!(rest(&Okx, url, BOOK), [expected]);
        let expected = format!("snapshot books-full A-B {times} {levels}");
        assert_eq!(rest(&Okx, "/api/v5/market/books-full?instId=A-B", BOOK), [expected]);
    }

    #[test]
    fn other_answers_are_no_books() {
        let error = r#"{"code":"51001","msg":"no such instrument","data":[]}"#;
        assert_eq!(rest(&Okx, "", error), [r#"error   rest id= 51001 "no such instrument""#]);
        for body in [r#"{"code":"0","data":[]}"#, r#"{"code":"0","data":[{"x":1}]}"#] {
            assert_eq!(rest(&Okx, "", body), ["other   rest"]);
        }
        let broken = r#"{"code":"0","data":[{"asks":[["1"]],"bids":[]}]}"#;
        assert_eq!(rest(&Okx, "?instId=A-B", broken), ["reject level books A-B book"]);
    }

    #[test]
    fn answers_tell_waiting_from_giving_up() {
        let of = |status, body: &str| {
            verdict(&HttpAnswer { status, body: body.as_bytes(), ..HttpAnswer::default() })
        };
        let wait = RestVerdict::Retry { wait_ms: 2_000 };
        assert_eq!(of(200, BOOK), RestVerdict::Ok);
        assert_eq!(of(429, ""), wait);
        assert_eq!(of(200, r#"{"code":"50011","msg":"Rate limit reached"}"#), wait);
        assert_eq!(of(400, r#"{"code":"50011"}"#), wait);
        assert_eq!(of(503, "<html>"), wait);
        assert_eq!(of(200, "<html>"), wait);
        assert_eq!(of(200, r#"{"code":"51001"}"#), RestVerdict::Refused);
        for status in [302, 403, 404] {
            assert_eq!(of(status, "<html>"), RestVerdict::Retry { wait_ms: 1_000 }, "{status}");
        }
        assert_eq!(of(400, r#"{"code":"51000"}"#), RestVerdict::Unclear);
        assert_eq!(of(401, r#"{"code":"50111"}"#), RestVerdict::Auth);
        assert_eq!(of(200, r#"{"code":"50113"}"#), RestVerdict::Auth);
    }
}
