//! Bodies of HTTP answers → events, and what a status means for the next request.
//!
//! Bodies of spot and USD-M depth name no symbol: it is the URL's. `/rpiDepth` contains orders
//! that the diff streams leave out, so it is the snapshot of its own channel and never a base of
//! `depth` (protocols.md 2.4).

use super::books::{Role, picture};
use super::wire::Frame;
use super::{control, tickers};
use crate::scan::{Field, Value};
use crate::scratch::Scratch;
use crate::url;
use crate::venue::{HttpAnswer, RestVerdict};
use crate::wire::{EventSink, Reject, WireError};
use gapless_book::event::{BookKind, Flags};

/// Wait after a 429 that names none: the budget is counted per minute.
const LIMIT_WAIT_MS: u64 = 60_000;
/// Wait after a 418 that names none: the shortest ban (protocols.md 1.4).
const BAN_WAIT_MS: u64 = 120_000;
/// Wait after a 403 of the firewall, whose answer names none.
const FIREWALL_WAIT_MS: u64 = 300_000;
/// Wait after a failure of the server or a refusal that may pass; whoever asks again backs off
/// further.
const RETRY_WAIT_MS: u64 = 1_000;

/// Reads the body of an answer to `address`.
pub(super) fn parse<S: EventSink>(
    shared: &Frame<'_>,
    address: &str,
    scratch: &mut Scratch,
    sink: &mut S,
) {
    let frame = Frame { flags: shared.flags.with(Flags::REST), whole: false, ..*shared };
    let channel = match url::path(address).rsplit('/').next() {
        Some("depth") => "depth",
        Some("rpiDepth") => "rpiDepth",
        Some("openInterest") => "openInterest",
        _ => "",
    };
    scratch.keep_name(|name| {
        url::decode(url::parameter(address, "symbol").unwrap_or(""), name);
        name.make_ascii_uppercase();
    });
    let limit = url::parameter(address, "limit").and_then(|limit| limit.parse().ok());
    let role = Role { channel, kind: BookKind::Snapshot, depth_limit: limit };
    if let Err(error) = body(&frame, address, role, scratch, sink) {
        let book = matches!(channel, "depth" | "rpiDepth");
        sink.reject(&Reject { error, exchange: "", symbol: scratch.name(), channel, book });
    }
}

fn body<S: EventSink>(
    frame: &Frame<'_>,
    address: &str,
    role: Role<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), WireError> {
    let value = Value::frame(frame.raw)?;
    if value.is_object() {
        let [code, msg] = value.object(["code", "msg"])?;
        if code.is_some() && msg.is_some() {
            return control::answer(frame, value, sink);
        }
    }
    let recorded = value.is_object() && value.field("lastUpdateId")?.is_some();
    match role.channel {
        // Kept from a recording that wrote it among the frames: no URL, but a symbol of its own.
        "" if recorded && address.is_empty() => {
            picture(frame, Role { channel: "depth", ..role }, value, scratch, sink)
        }
        "depth" | "rpiDepth" => picture(frame, role, value, scratch, sink),
        "openInterest" => tickers::open_interest(frame, value, sink),
        _ => {
            frame.other(scratch.name(), "", sink);
            Ok(())
        }
    }
}

/// No such symbol.
const INVALID_SYMBOL: i64 = -1121;

/// What a status means. Budgets and bans are per address, so they stop every request.
pub(super) fn verdict(answer: &HttpAnswer<'_>) -> RestVerdict {
    let named = answer.header("Retry-After").and_then(|text| text.trim().parse::<u64>().ok());
    let wait = |default| named.map_or(default, |seconds| seconds.saturating_mul(1_000));
    match answer.status {
        200..=299 => RestVerdict::Ok,
        429 => RestVerdict::StopAll { wait_ms: wait(LIMIT_WAIT_MS) },
        418 => RestVerdict::StopAll { wait_ms: wait(BAN_WAIT_MS) },
        403 => RestVerdict::StopAll { wait_ms: wait(FIREWALL_WAIT_MS) },
        401 => RestVerdict::Auth,
        408 | 500..=599 => RestVerdict::Retry { wait_ms: wait(RETRY_WAIT_MS) },
        400 if code(answer) == Some(INVALID_SYMBOL) => RestVerdict::Refused,
        _ => RestVerdict::unlisted(answer),
    }
}

fn code(answer: &HttpAnswer<'_>) -> Option<i64> {
    Value::frame(answer.body).ok()?.field("code").ok()?.optional_int().ok()?
}

/// Weight that this address has used in the current minute, as the venue counts it: other
/// processes spend from the same budget.
#[must_use]
pub fn used_weight(answer: &HttpAnswer<'_>) -> Option<u32> {
    answer.header("X-MBX-USED-WEIGHT-1M").and_then(|text| text.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_bans_stop_every_request_for_as_long_as_the_venue_says() {
        let headers = [("retry-after", "7"), ("x-mbx-used-weight-1m", "5991")];
        let answer = HttpAnswer { status: 429, headers: &headers, ..HttpAnswer::default() };
        assert_eq!(verdict(&answer), RestVerdict::StopAll { wait_ms: 7_000 });
        assert_eq!(used_weight(&answer), Some(5_991));
        for (status, expected) in [
            (200, RestVerdict::Ok),
            (418, RestVerdict::StopAll { wait_ms: 120_000 }),
            (429, RestVerdict::StopAll { wait_ms: 60_000 }),
            (403, RestVerdict::StopAll { wait_ms: 300_000 }),
            (503, RestVerdict::Retry { wait_ms: 1_000 }),
            (401, RestVerdict::Auth),
            (302, RestVerdict::Retry { wait_ms: 1_000 }),
            (400, RestVerdict::Retry { wait_ms: 1_000 }),
            (404, RestVerdict::Retry { wait_ms: 1_000 }),
        ] {
            let answer = HttpAnswer { status, ..HttpAnswer::default() };
            assert_eq!(verdict(&answer), expected, "{status}");
        }
    }

    #[test]
    fn only_a_symbol_that_the_venue_does_not_know_is_refused() {
        let of = |status, body: &str| {
            verdict(&HttpAnswer { status, body: body.as_bytes(), ..HttpAnswer::default() })
        };
        let unknown = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
        assert_eq!(of(400, unknown), RestVerdict::Refused);
        assert_eq!(of(400, r#"{"code":-1101,"msg":"?"}"#), RestVerdict::Unclear);
        assert_eq!(of(404, "<html>"), RestVerdict::Retry { wait_ms: 1_000 });
    }
}
