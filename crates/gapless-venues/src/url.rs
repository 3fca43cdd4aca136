//! Reading of URLs as recordings and requests have them: path, query parameters, their text.
//!
//! Nothing is decoded unless asked for; a URL that is no URL has an empty path and no parameters.

/// Host of a URL, without user, port and path; empty if there is none.
#[must_use]
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    host.split(':').next().unwrap_or("")
}

/// The path of a URL: after the host, up to the query or fragment. A path alone is its own path.
#[must_use]
pub fn path(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| match rest.find('/') {
        Some(slash) => rest.get(slash..).unwrap_or(""),
        None => "",
    });
    after.split(['?', '#']).next().unwrap_or("")
}

/// The query of a URL, without `?` and fragment; empty if there is none.
#[must_use]
pub fn query(url: &str) -> &str {
    let whole = url.split('#').next().unwrap_or("");
    whole.split_once('?').map_or("", |(_, query)| query)
}

/// The first parameter of that name, as written.
#[must_use]
pub fn parameter<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    query(url).split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

/// Appends percent-encoded text, decoded. `false`, and nothing appended, if an escape is broken or
/// the result is not UTF-8.
pub fn decode(text: &str, into: &mut String) -> bool {
    let kept = into.len();
    let mut bytes = core::mem::take(into).into_bytes();
    let mut rest = text.bytes();
    let mut sound = true;
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' { escape(&mut rest) } else { Some(byte) };
        let Some(byte) = decoded else {
            sound = false;
            break;
        };
        bytes.push(byte);
    }
    *into = String::from_utf8(bytes).unwrap_or_else(|e| {
        sound = false;
        let mut bytes = e.into_bytes();
        bytes.truncate(kept);
        String::from_utf8(bytes).unwrap_or_default()
    });
    if !sound {
        into.truncate(kept);
    }
    sound
}

fn escape(rest: &mut core::str::Bytes<'_>) -> Option<u8> {
    let mut digit = || rest.next().and_then(|b| (b as char).to_digit(16));
    u8::try_from(digit()? * 16 + digit()?).ok()
}

/// Appends text with everything but letters, digits and `-._~` percent-encoded.
pub fn encode(text: &str, into: &mut String) {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(byte as char);
            continue;
        }
        into.push('%');
        for half in [byte >> 4, byte & 15] {
            into.push(HEX.get(usize::from(half)).copied().unwrap_or('0'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url_are_found_wherever_they_stand() {
        let url = "https://fapi.binance.com/fapi/v1/depth?limit=1000&symbol=%E5%B8%81USDT#x";
        assert_eq!(path(url), "/fapi/v1/depth");
        assert_eq!(parameter(url, "symbol"), Some("%E5%B8%81USDT"));
        assert_eq!(parameter(url, "mbol"), None);
        assert_eq!(path("/api/v3/depth?symbol=A"), "/api/v3/depth");
        assert_eq!(path("wss://host"), "");
    }

    #[test]
    fn text_survives_encoding_and_broken_escapes_leave_nothing() {
        let mut text = String::from("x");
        assert!(decode("%E5%B8%81USDT", &mut text));
        assert_eq!(text, "x币USDT");
        let mut encoded = String::new();
        encode("币USDT", &mut encoded);
        assert_eq!(encoded, "%E5%B8%81USDT");
        for broken in ["ab%4", "ab%zz", "ab%FF"] {
            assert!(!decode(broken, &mut text), "{broken}");
            assert_eq!(text, "x币USDT");
        }
    }
}
