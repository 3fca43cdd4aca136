//! Telling a venue from a URL or a frame: for recordings that do not name theirs.
//!
//! Each venue says by which hosts and by which bytes it is known; here is only the searching.
//! It runs on the first frames of a recording, never on the hot path.

use crate::url;
use crate::venue::Claim;

/// Bytes of a frame that are looked at: every venue shows itself in its first fields.
const LOOK_MAX: usize = 1024;

/// Whether the frame's beginning contains `needle`.
#[must_use]
pub fn shows(frame: &[u8], needle: &str) -> bool {
    let look = frame.get(..LOOK_MAX).unwrap_or(frame);
    look.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Sure if the URL's host is, or lies under, one of `hosts`.
#[must_use]
pub fn by_host(url: &str, hosts: &[&str]) -> Claim {
    let host = url::host(url);
    let under = |name: &&str| {
        host.strip_suffix(*name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if hosts.iter().any(under) { Claim::Sure } else { Claim::No }
}

/// Sure if the frame shows any of `signs`.
#[must_use]
pub fn by_signs(frame: &[u8], signs: &[&str]) -> Claim {
    if signs.iter().any(|sign| shows(frame, sign)) { Claim::Sure } else { Claim::No }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::VenueId;

    #[test]
    fn a_host_is_taken_whole() {
        assert_eq!(by_host("wss://a.venue.com:443/ws", &["venue.com"]), Claim::Sure);
        assert_eq!(by_host("wss://notvenue.com/ws", &["venue.com"]), Claim::No);
        assert_eq!(by_host("wss://x.org/?u=venue.com", &["venue.com"]), Claim::No);
    }

    #[test]
    fn urls_name_their_venue() {
        for (url, name) in [
            ("wss://stream.binance.com:9443/stream?streams=a@depth", "binance_spot"),
            ("https://www.binance.com/api/v1/depth?symbol=A", "binance_spot"),
            ("wss://stream.binance.us:9443/ws", "binance_us"),
            ("wss://fstream.binance.com/public/stream", "binance_usdm"),
            ("https://fapi.binance.com/fapi/v1/depth?symbol=A", "binance_usdm"),
            ("https://dapi.binance.com/dapi/v1/depth?symbol=A", "binance_coinm"),
            ("wss://dstream.binance.com/stream", "binance_coinm"),
            ("wss://stream.bybit.com/v5/public/linear", "bybit"),
            ("wss://ws.okx.com:8443/ws/v5/public", "okx"),
            ("wss://www.deribit.com/ws/api/v2", "deribit"),
        ] {
            assert_eq!(VenueId::must_be(url, b"").map(VenueId::name), Some(name), "{url}");
        }
        assert_eq!(VenueId::must_be("wss://example.org/binance.com", b""), None);
    }

    #[test]
    fn frames_name_their_venue_where_they_can() {
        for (frame, name) in [
            (r#"{"e":"depthUpdate","E":1,"s":"AB","U":1,"u":2,"pu":0,"b":[]}"#, "binance_usdm"),
            (
                r#"{"e":"depthUpdate","E":1,"s":"AUSD_PERP","ps":"AUSD","U":1,"u":2,"pu":0}"#,
                "binance_coinm",
            ),
            (r#"{"topic":"orderbook.50.AB","ts":1,"type":"delta","data":{}}"#, "bybit"),
            (r#"{"arg":{"channel":"books","instId":"A-B"},"data":[]}"#, "okx"),
            (r#"{"jsonrpc":"2.0","method":"subscription"}"#, "deribit"),
        ] {
            let told = VenueId::must_be("", frame.as_bytes());
            assert_eq!(told.map(VenueId::name), Some(name), "{frame}");
        }
        assert_eq!(VenueId::must_be("", br#"{"result":null,"id":1}"#), None);
        // Spot and US write the same: neither is proven, spot is assumed.
        let spot = br#"{"e":"depthUpdate","E":1,"s":"AB","U":1,"u":2,"b":[],"a":[]}"#;
        assert_eq!(VenueId::must_be("", spot), None);
        assert_eq!(VenueId::may_be(spot).map(VenueId::name), Some("binance_spot"));
    }
}
