//! Answers to requests, errors, the notice before a shutdown.

use super::wire::Frame;
use crate::scan::{Field, Value};
use crate::wire::{EventSink, WireError};
use gapless_book::event::{Body, RequestId, Times};

/// The name of the notice.
const SHUTDOWN: &str = "serverShutdown";

/// `{"result":…,"id":…}`, `{"code":…,"msg":…}` or `{"error":{"code":…,"msg":…}}`.
pub(super) fn answer<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [id, result, error, code, msg] = value.object(["id", "result", "error", "code", "msg"])?;
    let id = RequestId(id.present().map_or("", words));
    let refusal = error.filter(|error| !error.is_null());
    let body = if let Some(refusal) = refusal {
        refused(id, refusal)?
    } else if let (Some(code), Some(msg)) = (code, msg) {
        Body::Error { id, code: code.text()?, message: words(msg), retry_after_s: None }
    } else {
        granted(id, result)
    };
    let times = Times { recv_ns: frame.recv_ns, ..Times::default() };
    sink.event(&frame.event("", "", times, body));
    Ok(())
}

/// The list of subscriptions, or a bare grant.
fn granted<'a>(id: RequestId<'a>, result: Option<Value<'a>>) -> Body<'a> {
    let result = result.filter(|result| !result.is_null());
    let op = if result.is_some_and(Value::is_array) { "list" } else { "" };
    Body::Ack { id, op, topics: result.map_or("", Value::raw), failed: "" }
}

fn refused<'a>(id: RequestId<'a>, error: Value<'a>) -> Result<Body<'a>, WireError> {
    if !error.is_object() {
        return Ok(Body::Error { id, code: "", message: words(error), retry_after_s: None });
    }
    let [code, msg] = error.object(["code", "msg"])?;
    let message = msg.present().map_or("", words);
    Ok(Body::Error { id, code: code.text_or_empty()?, message, retry_after_s: None })
}

/// What stands between a string's quotes, escapes and all; any other value as written.
fn words(value: Value<'_>) -> &str {
    value.raw_string().unwrap_or(value.raw())
}

/// `serverShutdown`, raw or on the stream `!serverShutdown`: the socket will close, at no stated
/// time.
pub(super) fn shutdown<S: EventSink>(
    frame: &Frame<'_>,
    value: Value<'_>,
    sink: &mut S,
) -> Result<(), WireError> {
    let [_, published] = value.object(["e", "E"])?;
    let body = Body::Notice { code: SHUTDOWN, closing: true };
    sink.event(&frame.event("", SHUTDOWN, frame.times(published, None)?, body));
    Ok(())
}
