//! What an answer of the relay's HTTP side means. Also read for the upgrade of a socket.

use crate::scan::{Field, Value};
use crate::venue::{HttpAnswer, RestVerdict};
use gapless_book::decimal::Decimal;

/// Longest wait believed (protocols.md 7.5).
pub(super) const WAIT_S_MAX: u64 = 3_600;
/// First wait where none is named; whoever asks again backs off further.
const RETRY_WAIT_MS: u64 = 1_000;

/// Limits are per endpoint and the streams have none, so a 429 stops no other request.
pub(super) fn of(answer: &HttpAnswer<'_>) -> RestVerdict {
    match answer.status {
        200..=299 => refusal(answer).unwrap_or(RestVerdict::Ok),
        401 | 403 => RestVerdict::Auth,
        408 | 429 | 500..=599 => RestVerdict::Retry { wait_ms: wait_ms(answer) },
        400 | 404 | 410 | 422 if answer.is_json() => RestVerdict::Refused,
        _ => RestVerdict::unlisted(answer),
    }
}

/// An error in the body of a success.
fn refusal(answer: &HttpAnswer<'_>) -> Option<RestVerdict> {
    let value = Value::frame(answer.body).ok().filter(|value| value.is_object())?;
    value.field("error").ok()?.present()?;
    Some(match in_body(answer) {
        Some(_) => RestVerdict::Retry { wait_ms: wait_ms(answer) },
        None => RestVerdict::Unclear,
    })
}

/// The longest of what the body, the header and we think.
fn wait_ms(answer: &HttpAnswer<'_>) -> u64 {
    let header = answer.header("Retry-After").and_then(|text| wait(text.trim().as_bytes()));
    let named = [in_body(answer), header].into_iter().flatten();
    named.filter_map(millis).fold(RETRY_WAIT_MS, u64::max)
}

fn in_body(answer: &HttpAnswer<'_>) -> Option<Decimal> {
    let value = Value::frame(answer.body).ok().filter(|value| value.is_object())?;
    seconds(value.field("retry_after").ok()?.present()?)
}

/// Seconds to wait, as integer, decimal or text; between none and an hour. `None` if unreadable.
pub(super) fn seconds(value: Value<'_>) -> Option<Decimal> {
    wait(value.text().ok()?.trim().as_bytes())
}

fn wait(text: &[u8]) -> Option<Decimal> {
    let wait = Decimal::parse(text).ok()?;
    Some(match millis(wait) {
        Some(ms) if ms <= WAIT_S_MAX * 1_000 => wait,
        None if wait.mantissa() < 0 => Decimal::ZERO,
        _ => Decimal::new(WAIT_S_MAX.cast_signed(), 0),
    })
}

/// Whole milliseconds, rounded up; `None` if negative or beyond `u64`.
fn millis(wait: Decimal) -> Option<u64> {
    let mantissa = u128::try_from(wait.mantissa()).ok()?;
    let unit = 10u128.checked_pow(u32::from(wait.scale()));
    // So many decimals are not of zero, and less than a millisecond.
    let Some(unit) = unit else { return Some(1) };
    u64::try_from((mantissa * 1_000).div_ceil(unit)).ok()
}
