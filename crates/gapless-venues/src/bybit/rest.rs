//! Bodies of HTTP answers, and what an answer means to whoever asks next.

use crate::envelope::Envelope;
use crate::scan::{Field, Value};
use crate::scratch::{LevelForm, Scratch};
use crate::url;
use crate::venue::{HttpAnswer, Origin, RestVerdict};
use crate::wire::{EventSink, WireError};
use gapless_book::event::{Body, BookKind, Flags, RequestId, SeqInfo};

/// After HTTP 403 "access too frequent" nothing may be asked for 10 minutes (protocols.md 3.4).
const BAN_MS: u64 = 600_000;
/// The window of the request limit, where the answer does not say when it ends.
const WINDOW_MS: u64 = 5_000;
/// For failures that are the server's.
const SERVER_MS: u64 = 1_000;
/// Levels that the full book has at most.
const FULL_DEPTH: u16 = 10_000;

/// Reads an answer's fields `retCode`, `retMsg` and `result`.
pub(super) fn parse<S: EventSink>(
    envelope: Envelope<'_>,
    origin: Origin<'_>,
    fields: [Option<Value<'_>>; 3],
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let envelope = envelope.marked(Flags::REST);
    let request = Request::of(origin);
    let [_, _, result] = fields;
    let symbol = result.and_then(|result| result.field("s").ok()?).map(Value::string);
    let symbol = symbol.and_then(Result::ok).unwrap_or("");
    let named = Envelope { symbol, channel: request.channel, ..envelope };
    if let Err(error) = answer(envelope, &named, &request, fields, scratch, sink) {
        named.refuse(error, true, sink);
    }
}

/// `named` is for books, `envelope` for all else.
fn answer<S: EventSink>(
    envelope: Envelope<'_>,
    named: &Envelope<'_>,
    request: &Request,
    [code, message, result]: [Option<Value<'_>>; 3],
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let code = code.need("retCode")?.text()?;
    if code != "0" {
        let message = message.map_or("", Value::raw);
        let id = RequestId::default();
        envelope.emit(Body::Error { id, code, message, retry_after_s: None }, sink);
        return Ok(());
    }
    let result = result.need("result")?;
    let [symbol, bids, asks, ts, cts, u, seq] =
        result.object(["s", "b", "a", "ts", "cts", "u", "seq"])?;
    if bids.is_none() && asks.is_none() {
        envelope.emit(Body::Other, sink);
        return Ok(());
    }
    symbol.need("s")?.string()?;
    let ids = SeqInfo {
        last: Some(u.need("u")?.int()?),
        cross: seq.optional_int()?,
        ..SeqInfo::default()
    };
    let named = named.at(ts, cts)?;
    scratch.read_sides(request.form, bids, asks, request.form == LevelForm::Extra)?;
    let message = scratch.message(BookKind::Snapshot, ids, request.depth);
    sink.book(&named.event(Body::Book(message)), &[]);
    Ok(())
}

/// What the request's URL says about the book in the answer.
struct Request {
    /// The topic whose `u` the answer shares.
    channel: &'static str,
    form: LevelForm,
    depth: Option<u16>,
}

impl Request {
    fn of(origin: Origin<'_>) -> Self {
        let url = match origin {
            Origin::Rest { url } => url,
            Origin::Socket { .. } => "",
        };
        let limit = url::parameter(url, "limit").and_then(|limit| limit.parse().ok());
        let path = url::path(url);
        if path.ends_with("/full_orderbook") {
            let depth = limit.or(Some(FULL_DEPTH));
            Self { channel: "orderbook.full", form: LevelForm::Pair, depth }
        } else if path.ends_with("/rpi_orderbook") {
            Self { channel: "orderbook.rpi", form: LevelForm::Extra, depth: limit }
        } else {
            Self { channel: "orderbook.1000", form: LevelForm::Pair, depth: limit }
        }
    }
}

/// What an answer means.
pub(super) fn verdict(answer: &HttpAnswer<'_>) -> RestVerdict {
    match answer.status {
        200 => of_code(answer),
        403 => RestVerdict::StopAll { wait_ms: BAN_MS },
        401 => RestVerdict::Auth,
        429 => RestVerdict::Retry { wait_ms: until_reset(answer) },
        500.. => RestVerdict::Retry { wait_ms: SERVER_MS },
        _ => RestVerdict::unlisted(answer),
    }
}

/// Business errors come with status 200.
fn of_code(answer: &HttpAnswer<'_>) -> RestVerdict {
    let code = Value::frame(answer.body).and_then(|body| body.field("retCode")?.optional_int());
    match code {
        Ok(Some(0)) => RestVerdict::Ok,
        // 10018: the address is over its limit; 10006: too many visits.
        Ok(Some(10_006 | 10_018)) => RestVerdict::Retry { wait_ms: until_reset(answer) },
        // 10000: timeout; 10016: internal error.
        Ok(Some(10_000 | 10_016) | None) | Err(_) => RestVerdict::Retry { wait_ms: SERVER_MS },
        Ok(Some(10_003..=10_005 | 10_007 | 33_004)) => RestVerdict::Auth,
        // 10001: a parameter, of which only the symbol can be wrong.
        Ok(Some(10_001)) => RestVerdict::Refused,
        Ok(Some(_)) => RestVerdict::Unclear,
    }
}

/// Milliseconds to the moment that the venue names; a window if it names none or a past one.
fn until_reset(answer: &HttpAnswer<'_>) -> u64 {
    let reset = answer.header("X-Bapi-Limit-Reset-Timestamp").and_then(|at| at.parse::<i64>().ok());
    let wait = reset.and_then(|at| at.checked_sub(answer.now_ms));
    wait.and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0).unwrap_or(WINDOW_MS)
}

#[cfg(test)]
mod tests {
    use super::super::Bybit;
    use super::*;
    use crate::seen::rest;

    const BOOK: &str = concat!(
        r#"{"retCode":0,"retMsg":"OK","result":{"s":"AUSDT","a":[["2.50","1"]],"b":[["2.4","3"]],"#,
        r#""ts":1700000000500,"u":77,"seq":480,"cts":1700000000495},"retExtInfo":{},"time":9}"#,
    );

    #[test]
    fn the_url_says_to_which_topic_a_book_belongs() {
        let line = |url| rest(&Bybit, url, BOOK);
        let url = "https://api.bybit.com/v5/market/orderbook?category=spot&symbol=AUSDT&limit=200";
        let times = "t1700000000500000000 T1700000000495000000 Milli rest last=77 cross=480";
        let levels = "bids[3@2.4] asks[1@2.5]";
        let expected = format!("snapshot orderbook.1000 AUSDT {times} limit=200 {levels}");
        assert_eq!(line(url), [expected]);
        let url = "/v5/market/full_orderbook?category=spot&symbol=AUSDT";
        let expected = format!("snapshot orderbook.full AUSDT {times} limit=10000 {levels}");
        assert_eq!(line(url), [expected]);
        assert_eq!(line("/v5/market/rpi_orderbook"), ["reject level orderbook.rpi AUSDT book"]);
    }

    #[test]
    fn other_answers_are_no_books() {
        let error = r#"{"retCode":10001,"retMsg":"bad \"symbol\"","result":{}}"#;
        let expected = r#"error   rest id= 10001 "bad \"symbol\"""#;
        assert_eq!(rest(&Bybit, "", error), [expected]);
        let list = r#"{"retCode":0,"retMsg":"OK","result":{"list":[]}}"#;
        assert_eq!(rest(&Bybit, "", list), ["other   rest"]);
        let broken = r#"{"retCode":0,"result":{"s":"A","b":[]}}"#;
        assert_eq!(rest(&Bybit, "", broken), ["reject missing_field orderbook.1000 A book"]);
    }

    fn answer(status: u16, body: &str, reset: &str) -> RestVerdict {
        let headers = [("x-bapi-limit-reset-timestamp", reset)];
        verdict(&HttpAnswer { status, headers: &headers, body: body.as_bytes(), now_ms: 1_000 })
    }

    #[test]
    fn a_ban_stops_everything_for_ten_minutes() {
        let banned = answer(403, "access too frequent", "");
        assert_eq!(banned, RestVerdict::StopAll { wait_ms: 600_000 });
    }

    #[test]
    fn too_many_visits_wait_until_the_moment_named() {
        let visits = r#"{"retCode":10006,"retMsg":"Too many visits!"}"#;
        assert_eq!(answer(200, visits, "3500"), RestVerdict::Retry { wait_ms: 2_500 });
        for past in ["900", "1000"] {
            assert_eq!(answer(200, visits, past), RestVerdict::Retry { wait_ms: 5_000 });
        }
        assert_eq!(answer(429, "", "x"), RestVerdict::Retry { wait_ms: 5_000 });
    }

    #[test]
    fn the_other_answers_are_told_apart() {
        assert_eq!(answer(200, BOOK, ""), RestVerdict::Ok);
        assert_eq!(answer(200, r#"{"retCode":10001}"#, ""), RestVerdict::Refused);
        assert_eq!(answer(200, r#"{"retCode":10003}"#, ""), RestVerdict::Auth);
        assert_eq!(answer(401, "", ""), RestVerdict::Auth);
        assert_eq!(answer(200, r#"{"retCode":99}"#, ""), RestVerdict::Unclear);
        let passing = [(200, "<html>"), (404, ""), (502, ""), (200, r#"{"retCode":10016}"#)];
        for (status, body) in passing {
            assert_eq!(answer(status, body, ""), RestVerdict::Retry { wait_ms: 1_000 }, "{body}");
        }
    }
}
