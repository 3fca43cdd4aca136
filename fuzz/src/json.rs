//! Target `json`: the strict JSON reader against serde_json.
//!
//! Whatever the bytes: no panic; accepted text is what serde_json accepts when it skips, save that
//! ours alone refuses nesting deeper than 32 and escaped surrogates that are no pair; both see the
//! same entries and elements at every depth.

use gapless_venues::scan::{DEPTH_MAX, Value};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Runs one input.
pub fn json(data: &[u8]) {
    let oracle = std::str::from_utf8(data).ok().filter(|text| {
        // Only the shape: the oracle's own limits on the size of numbers are not ours.
        serde_json::from_str::<IgnoredAny>(text).is_ok()
    });
    match (Value::frame(data), oracle) {
        (Ok(value), Some(_)) => compare(value),
        (Ok(_), None) => panic!("accepted, and is no JSON: {}", data.escape_ascii()),
        (Err(error), Some(text)) => {
            let stricter = nesting(text) > DEPTH_MAX || has_lone_surrogate(text);
            assert!(stricter, "{error}, yet it is JSON: {}", data.escape_ascii());
        }
        (Err(_), None) => {}
    }
}

/// Walks both readings side by side, without recursion.
fn compare(root: Value<'_>) {
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        numbers(value);
        if value.is_object() {
            let theirs = entries(value.raw());
            let ours = value.entries().expect("an object has entries");
            let ours: Vec<_> = ours.map(|entry| entry.expect("checked")).collect();
            assert_eq!(ours.len(), theirs.len(), "{}", value.raw());
            for ((key, ours), (name, theirs)) in ours.iter().zip(&theirs) {
                assert_eq!(ours.raw(), theirs.get(), "value of {}", key.raw());
                assert_eq!(format!("\"{}\"", key.raw()), name.get());
                same_name(key, name.get());
            }
            open.extend(ours.into_iter().map(|(_, value)| value));
        } else if value.is_array() {
            let theirs: Vec<&RawValue> = serde_json::from_str(value.raw()).expect("an array");
            let ours = value.elements().expect("an array has elements");
            let ours: Vec<_> = ours.map(|element| element.expect("checked")).collect();
            let texts: Vec<_> = ours.iter().map(|value| value.raw()).collect();
            let wanted: Vec<_> = theirs.iter().map(|value| value.get()).collect();
            assert_eq!(texts, wanted);
            open.extend(ours);
        }
    }
}

/// A key compares equal to what its escapes mean.
fn same_name(key: &gapless_venues::scan::Key<'_>, text: &str) {
    if let Ok(name) = serde_json::from_str::<String>(text)
        && name.is_ascii()
    {
        assert!(key.is(&name), "{text} is {name}");
    }
}

/// Numbers that both can read are the same.
fn numbers(value: Value<'_>) {
    if let Ok(int) = value.int() {
        let text = value.text().expect("an integer has a text");
        assert_eq!(text.parse::<i64>(), Ok(int));
    }
    if value.is_number()
        && let Ok(decimal) = value.decimal()
    {
        let theirs: f64 = serde_json::from_str(value.raw()).expect("a number");
        let ours = decimal.to_f64();
        let near = (ours - theirs).abs() <= theirs.abs() * 1e-12 + f64::MIN_POSITIVE;
        assert!(near, "{}: {ours} and {theirs}", value.raw());
    }
}

/// The entries of an object in order, doubles included, as raw text.
fn entries(object: &str) -> Vec<(Box<RawValue>, &RawValue)> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(Box<RawValue>, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    serde_json::Deserializer::from_str(object).deserialize_map(Pairs).expect("an object")
}

/// Deepest nesting of a text that is JSON.
fn nesting(text: &str) -> u32 {
    let (mut deepest, mut depth, mut quoted, mut escaped) = (0u32, 0u32, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// Whether a text that is JSON escapes a surrogate without its other half right beside it.
fn has_lone_surrogate(text: &str) -> bool {
    let mut units = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at..];
        if at > 0 {
            units.push(u16::from(b' '));
        }
        let unit = escape.get(2..6).filter(|_| escape.as_bytes().get(1) == Some(&b'u'));
        let unit = unit.and_then(|hex| u16::from_str_radix(hex, 16).ok());
        units.push(unit.unwrap_or(u16::from(b' ')));
        let length = if unit.is_some() { 6 } else { 2 };
        rest = escape.get(length..).unwrap_or("");
    }
    char::decode_utf16(units).any(|unit| unit.is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_rules_are_told_apart() {
        assert!(has_lone_surrogate(r#""\ud83d""#));
        assert!(has_lone_surrogate(r#""\ud83d \udc4d""#));
        assert!(has_lone_surrogate(r#""\udc4d\ud83d""#));
        assert!(!has_lone_surrogate(r#""\ud83d\udc4d\\ud83d""#));
        assert_eq!(nesting(r#"[{"a[":"\"["},[[]]]"#), 3);
    }
}
