//! Bodies of HTTP answers, and what an answer means to whoever asks next.

use crate::envelope::Envelope;
use crate::scan::{Field, Value};
use crate::scratch::{LevelForm, Scratch};
use crate::url;
use crate::venue::{HttpAnswer, Origin, RestVerdict};
use crate::wire::{EventSink, WireError};
use gapless_book::event::{Body, BookKind, Flags, SeqInfo};

/// Two requests' worth of credits come back in 100 ms; a full burst needs more (protocols.md 5.2).
const BACK_OFF_MS: u64 = 1_000;
/// Codes after which the same request may succeed later (protocols.md 5.2).
pub(super) const RETRY_CODES: [i64; 8] =
    [10_028, 10_040, 10_041, 10_047, 10_066, 11_051, 13_028, 13_888];
/// invalid_credentials, unauthorized.
pub(super) const AUTH_CODES: [i64; 2] = [13_004, 13_009];

/// not_found, invalid parameters: there is nothing else to be wrong than the instrument.
const UNKNOWN_CODES: [i64; 2] = [13_020, -32_602];

/// Reads the `result` of `public/get_order_book`; serves audits, nothing is bridged with it.
pub(super) fn book<S: EventSink>(
    envelope: Envelope<'_>,
    origin: Origin<'_>,
    result: Value<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let [symbol, bids, asks, ts, id] =
        result.object(["instrument_name", "bids", "asks", "timestamp", "change_id"])?;
    let limit = match origin {
        Origin::Rest { url } => url::parameter(url, "depth").and_then(|depth| depth.parse().ok()),
        Origin::Socket { .. } => None,
    };
    let symbol = symbol.need("instrument_name")?.string()?;
    let envelope = Envelope { symbol, channel: "book", ..envelope.marked(Flags::REST) };
    let ids = SeqInfo { last: Some(id.need("change_id")?.int()?), ..SeqInfo::default() };
    scratch.read_sides(LevelForm::Pair, bids, asks, false)?;
    let message = scratch.message(BookKind::Snapshot, ids, limit);
    sink.book(&envelope.at(ts, None)?.event(Body::Book(message)), &[]);
    Ok(())
}

/// What an answer means. Errors come with status 400 and a code.
pub(super) fn verdict(answer: &HttpAnswer<'_>) -> RestVerdict {
    let body = Value::frame(answer.body);
    let error = body.and_then(|body| body.field("error")).ok().flatten();
    let code = error.and_then(|error| error.field("code").ok()?).and_then(|code| code.int().ok());
    match (answer.status, code) {
        (_, Some(code)) if RETRY_CODES.contains(&code) => {
            RestVerdict::Retry { wait_ms: BACK_OFF_MS }
        }
        (_, Some(code)) if AUTH_CODES.contains(&code) => RestVerdict::Auth,
        (200, None) if body.is_ok() => RestVerdict::Ok,
        (200 | 429 | 500.., None) => RestVerdict::Retry { wait_ms: BACK_OFF_MS },
        (401, _) => RestVerdict::Auth,
        (_, Some(code)) if UNKNOWN_CODES.contains(&code) => RestVerdict::Refused,
        _ => RestVerdict::unlisted(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Deribit;
    use super::*;
    use crate::seen::rest;

    const BOOK: &str = concat!(
        r#"{"jsonrpc":"2.0","result":{"timestamp":1700000000700,"instrument_name":"A","#,
        r#""change_id":90,"bids":[[2.5,10.0]],"asks":[[2.6,1e1]],"mark_price":2.55},"usIn":1}"#,
    );

    #[test]
    fn an_order_book_is_a_snapshot_of_its_depth() {
        let url = "/api/v2/public/get_order_book?instrument_name=A&depth=20";
        let expected = "snapshot book A t1700000000700000000 Milli rest last=90 limit=20 \
                        bids[10@2.5] asks[10@2.6]";
        assert_eq!(rest(&Deribit, url, BOOK), [expected]);
        let broken = BOOK.replace("2.5,", "");
        assert_eq!(rest(&Deribit, url, &broken), ["reject level book A book"]);
    }

    #[test]
    fn answers_tell_waiting_from_giving_up() {
        let of = |status, body: &str| {
            verdict(&HttpAnswer { status, body: body.as_bytes(), ..HttpAnswer::default() })
        };
        let wait = RestVerdict::Retry { wait_ms: 1_000 };
        assert_eq!(of(200, BOOK), RestVerdict::Ok);
        assert_eq!(of(400, r#"{"error":{"code":10028,"message":"too_many_requests"}}"#), wait);
        assert_eq!(of(429, ""), wait);
        assert_eq!(of(502, "<html>"), wait);
        assert_eq!(of(200, "<html>"), wait);
        assert_eq!(of(400, r#"{"error":{"code":13009}}"#), RestVerdict::Auth);
        assert_eq!(of(401, ""), RestVerdict::Auth);
        assert_eq!(of(400, r#"{"error":{"code":-32602}}"#), RestVerdict::Refused);
        assert_eq!(of(404, ""), wait);
        assert_eq!(of(403, "<html>"), wait);
        assert_eq!(of(400, r#"{"error":{"code":1}}"#), RestVerdict::Unclear);
    }
}
