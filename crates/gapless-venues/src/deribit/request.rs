//! Requests: channels packed within the venue's limit, and what an answer left out of them.

use super::topic::Name;
use crate::batch::{groups, quoted};
use crate::scan::Value;
use crate::venue::Topic;

/// Channels per request; a request costs the same however many it names (protocols.md 5.2).
const CHANNELS_MAX: usize = 500;
/// Keeps a request a small frame.
const CHANNELS_BYTES_MAX: usize = 60 * 1024;

/// Asks for heartbeats every 30 s, without which silence means nothing. Its id is 0: requests
/// count from 1.
pub(super) const HEARTBEATS: &str =
    r#"{"jsonrpc":"2.0","id":0,"method":"public/set_heartbeat","params":{"interval":30}}"#;

/// Writes requests of `method` for these topics.
pub(super) fn write(method: &str, topics: &[Topic<'_>], first_id: u64) -> Vec<String> {
    let names = topics.iter().map(|topic| quoted(&Name::of(topic.channel, topic.symbol).whole()));
    let groups = groups(names, CHANNELS_MAX, CHANNELS_BYTES_MAX);
    let request = |(id, names): (u64, String)| {
        let params = format!(r#"{{"channels":[{names}]}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
    };
    (first_id..).zip(groups).map(request).collect()
}

/// Reports the channels of a subscribe request; anything else reports none.
pub(super) fn read(text: &str, each: &mut dyn FnMut(Topic<'_>)) {
    let Ok(Ok([Some(method), Some(params)])) =
        Value::frame(text.as_bytes()).map(|value| value.object(["method", "params"]))
    else {
        return;
    };
    if !matches!(method.string(), Ok("public/subscribe" | "private/subscribe")) {
        return;
    }
    let list = params.field("channels").ok().flatten();
    let names = list.and_then(|list| list.elements().ok()).into_iter().flatten().flatten();
    let mut channel = String::new();
    for name in names.filter_map(|name| name.string().ok()).map(Name::read) {
        channel.clear();
        name.write_channel(&mut channel);
        each(Topic { channel: &channel, symbol: name.symbol });
    }
}

/// Positions of the requested topics that the answer's list does not name: the venue leaves out
/// what it did not subscribe (protocols.md 5.1).
pub(super) fn left_out(requested: &[Topic<'_>], answer: &str) -> Vec<usize> {
    let list = Value::frame(answer.as_bytes());
    // An answer that names nothing at all answers something else.
    let Ok(list) = list.and_then(Value::elements) else { return Vec::new() };
    let granted: Vec<&str> = list.flatten().filter_map(|name| name.string().ok()).collect();
    let is_missing = |topic: &Topic<'_>| {
        let whole = Name::of(topic.channel, topic.symbol).whole();
        !granted.contains(&whole.as_str())
    };
    let numbered = requested.iter().enumerate();
    numbered.filter(|(_, topic)| is_missing(topic)).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of<'a>(channel: &'a str, symbol: &'a str) -> Topic<'a> {
        Topic { channel, symbol }
    }

    #[test]
    fn hundreds_of_channels_go_into_one_request() {
        let names: Vec<_> = (0..1_200).map(|i| format!("BTC-{i}JUN30-1000-C")).collect();
        let topics: Vec<_> = names.iter().map(|name| of("book.raw", name)).collect();
        let requests = write("public/subscribe", &topics, 3);
        let counts: Vec<_> = requests.iter().map(|r| r.matches("book.").count()).collect();
        assert_eq!(counts, [500, 500, 200]);
        let start = concat!(
            r#"{"jsonrpc":"2.0","id":5,"method":"public/subscribe","#,
            r#""params":{"channels":["book.BTC-1000JUN30-1000-C.raw","#,
        );
        assert!(requests[2].starts_with(start), "{}", &requests[2]);
    }

    #[test]
    fn what_a_recorded_request_subscribes_can_be_read() {
        let mut seen = Vec::new();
        let mut note = |topic: Topic<'_>| seen.push(format!("{} {}", topic.channel, topic.symbol));
        let topics = [of("book.none.10.100ms", "A"), of("quote", "B")];
        read(&write("public/subscribe", &topics, 1)[0], &mut note);
        read(&write("public/unsubscribe", &[of("quote", "C")], 1)[0], &mut note);
        read(HEARTBEATS, &mut note);
        assert_eq!(seen, ["book.none.10.100ms A", "quote B"]);
    }

    #[test]
    fn a_channel_that_the_answer_does_not_name_was_left_out() {
        let topics = [of("book.raw", "A"), of("quote", "B"), of("ticker", "C")];
        assert_eq!(left_out(&topics, r#"["quote.B","ticker.C.100ms"]"#), [0]);
        assert_eq!(left_out(&topics, "[]"), [0, 1, 2]);
        assert_eq!(left_out(&topics, ""), [0; 0]);
    }
}
