//! The venues' own lists as recorded, read whole. Lines are `URL TAB JSON`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use gapless_book::decimal::Decimal;
use gapless_venues::binance::Dialect;
use gapless_venues::instruments::{Instrument, Instruments, Kind, List};
use gapless_venues::venue::Market;
use gapless_venues::{bybit, deribit, okx, tardis};

/// The folder of recordings, where the machine has one.
fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("GAPLESS_RECORDINGS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: GAPLESS_RECORDINGS names no folder of recordings");
    }
    folder
}

fn bodies(folder: &Path, name: &str) -> Vec<String> {
    let path = folder.join("instruments").join(name);
    let mut text = String::new();
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap();
    text.lines().filter_map(|line| line.split_once('\t')).map(|(_, body)| body.to_owned()).collect()
}

fn whole(list: List) -> Vec<Instrument> {
    assert!(list.refused.is_empty(), "{} refused: {}", list.refused.len(), list.refused[0]);
    assert!(!list.instruments.is_empty());
    list.instruments
}

/// Every list of the recordings in one table.
fn table(folder: &Path) -> Instruments {
    let mut table = Instruments::default();
    let mut take = |name: &str, read: &dyn Fn(&[u8]) -> List| {
        for body in bodies(folder, name) {
            let instruments = whole(read(body.as_bytes()));
            table.update(List { instruments, ..List::default() });
        }
    };
    take("BINANCE.ndjson.zst", &|body| Dialect::Spot.instruments(body).unwrap());
    take("BINANCE_FUTURES.ndjson.zst", &|body| Dialect::Usdm.instruments(body).unwrap());
    take("BINANCE_DELIVERY.ndjson.zst", &|body| Dialect::Coinm.instruments(body).unwrap());
    take("BYBIT.ndjson.zst", &|body| bybit::instruments::read(body).unwrap());
    take("OKX.ndjson.zst", &|body| okx::instruments::read(body).unwrap());
    take("DERIBIT.ndjson.zst", &|body| deribit::instruments::read(body).unwrap());
    table
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text.as_bytes()).unwrap()
}

#[test]
fn every_recorded_row_is_read_and_each_number_is_the_one_written() {
    let Some(folder) = recordings() else { return };
    let table = table(&folder);
    assert!(table.len() > 5_000, "{}", table.len());
    for (venue, market, symbol, tick, lot, value) in [
        ("binance_spot", Market::Spot, "ETHBTC", "0.000001", "0.0001", None),
        ("binance_usdm", Market::Linear, "BTCUSDT", "0.01", "0.001", None),
        ("binance_coinm", Market::Inverse, "BTCUSD_PERP", "0.1", "1", Some("100")),
        ("bybit", Market::Linear, "0GUSDT", "0.0001", "0.1", None),
        ("bybit", Market::Spot, "BTCUSDT", "0.1", "0.000001", None),
        ("okx", Market::Spot, "BTC-USDT", "0.1", "0.00000001", None),
        ("okx", Market::Inverse, "BTC-USD-SWAP", "0.1", "1", Some("100")),
        ("okx", Market::Option, "BTC-USD-220514-22000-C", "0.0005", "1", Some("0.1")),
        ("deribit", Market::Option, "BTC-24SEP21-40000-P", "0.0005", "0.1", None),
        ("deribit", Market::Linear, "UNI_USDC-PERPETUAL", "0.001", "1", None),
        ("deribit", Market::Inverse, "BTC-PERPETUAL", "0.5", "10", Some("1")),
    ] {
        let row = table.get(venue, market, symbol).unwrap_or_else(|| panic!("{venue}:{symbol}"));
        assert_eq!((row.tick, row.lot), (decimal(tick), decimal(lot)), "{venue}:{symbol}");
        assert_eq!(row.contract_value, value.map(decimal), "{venue}:{symbol}");
    }
}

#[test]
fn every_recorded_derivative_has_its_kind_market_and_end() {
    let Some(folder) = recordings() else { return };
    for row in table(&folder).iter() {
        let ends = matches!(row.kind, Kind::Future | Kind::Option);
        let name = format!("{}:{}", row.venue, row.symbol);
        // Contracts announced without a type have none yet.
        if row.kind != Kind::Unknown {
            assert_eq!(row.expiry_ns.is_some(), ends, "{name}");
            assert_ne!(row.market, Market::Unknown, "{name}");
        }
        assert!(row.tick.mantissa() > 0 && row.lot.mantissa() > 0, "{name}");
        assert!(!row.quote.is_empty() && !row.base.is_empty(), "{name}");
        assert_eq!(row.strike.is_some(), row.kind == Kind::Option, "{name}");
    }
}

#[test]
fn recorded_tardis_objects_are_read() {
    let Some(folder) = recordings() else { return };
    let mut read = 0;
    for entry in fs::read_dir(folder.join("fixtures/tardis")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if !name.starts_with("instrument_") || !name.ends_with(".ndjson") {
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            for row in whole(tardis::instruments::read(line.as_bytes()).unwrap()) {
                assert_eq!(row.kind == Kind::Spot, name.contains("spot"), "{name}");
                read += 1;
            }
        }
    }
    assert!(read >= 5, "{read}");
}

/// A small list of each reader.
const LISTS: [&str; 5] = [
    r#"{"symbols":[{"symbol":"AB","status":"TRADING","contractType":"PERPETUAL","baseAsset":"A",
       "quoteAsset":"B","contractSize":100,"deliveryDate":4133404800000,"filters":[
       {"filterType":"PRICE_FILTER","tickSize":"0.10"},
       {"filterType":"LOT_SIZE","stepSize":"1"}]}]}"#,
    r#"{"result":{"category":"linear","list":[{"symbol":"AB","contractType":"LinearPerpetual",
       "baseCoin":"A","quoteCoin":"B","priceFilter":{"tickSize":"0.5"},"deliveryTime":"0",
       "lotSizeFilter":{"qtyStep":"0.001"}}]}}"#,
    r#"{"data":[{"instId":"A-B-SWAP","instType":"SWAP","ctType":"linear","ctVal":"0.01",
       "ctMult":"1","ctValCcy":"A","uly":"A-B","tickSz":"0.1","lotSz":"1","expTime":""}]}"#,
    r#"{"result":[{"instrument_name":"AB","kind":"future","settlement_period":"month",
       "base_currency":"A","quote_currency":"B","tick_size":1e-05,"contract_size":10.0,
       "min_trade_amount":10.0,"expiration_timestamp":1798185600000,"is_active":true}]}"#,
    r#"[{"id":"AB","exchange":"deribit","type":"future","baseCurrency":"A","quoteCurrency":"B",
       "priceIncrement":0.5,"amountIncrement":10,"inverse":true,"contractMultiplier":1,
       "expiry":"2026-12-25T08:00:00.000Z"}]"#,
];

fn read_by_all(body: &[u8]) -> Vec<Option<List>> {
    let readers = [
        Dialect::Coinm.instruments(body),
        bybit::instruments::read(body),
        okx::instruments::read(body),
        deribit::instruments::read(body),
        tardis::instruments::read(body),
    ];
    readers.into_iter().map(Result::ok).collect()
}

#[test]
fn each_small_list_is_read_by_its_own_reader() {
    for (at, body) in LISTS.iter().enumerate() {
        let lists = read_by_all(body.as_bytes());
        let own = lists[at].clone().unwrap_or_default();
        assert_eq!((own.instruments.len(), own.refused.len()), (1, 0), "{body}: {:?}", own.refused);
    }
}

/// Every byte of every list replaced, removed and doubled, and every truncation.
#[test]
fn no_damage_to_a_list_makes_a_reader_panic_or_invent_a_step() {
    for body in LISTS.map(str::as_bytes) {
        for at in 0..body.len() {
            let (head, tail) = (&body[..at], &body[at + 1..]);
            let mut damaged =
                vec![head.to_vec(), [head, tail].concat(), [head, &body[at..]].concat()];
            for byte in [b'"', b'{', b'[', b'}', b'-', b'9', b'e', 0, 0xff, b'\\'] {
                damaged.push([head, &[byte], tail].concat());
            }
            for bytes in damaged {
                for list in read_by_all(&bytes).into_iter().flatten() {
                    for row in list.instruments {
                        assert!(row.tick.mantissa() >= 0 && row.lot.mantissa() >= 0);
                        assert!(!row.symbol.is_empty() && row.symbol.len() <= 64);
                        assert!(row.contract_value.is_none_or(|value| value.mantissa() > 0));
                    }
                }
            }
        }
    }
}

#[test]
fn an_error_of_the_grid_names_the_value_and_the_step() {
    let list = okx::instruments::read(LISTS[2].as_bytes()).unwrap();
    let row = &list.instruments[0];
    assert_eq!(row.price_ticks(decimal("91230.1")), Ok(Some(912_301)));
    let between = row.price_ticks(decimal("91230.15")).unwrap_err().to_string();
    assert_eq!(between, "price 91230.15 is not a multiple of the tick 0.1");
    let negative = row.qty_lots(decimal("-1")).unwrap_err().to_string();
    assert_eq!(negative, "size -1 is negative");
    assert_eq!(row.qty_lots(decimal("12.0")), Ok(Some(12)));
}
