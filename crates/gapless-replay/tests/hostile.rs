//! Inputs that are broken or meant to break: each gives one clear line, none a panic, none takes
//! memory beyond the limits.

use std::io::{Cursor, Read, Write};

use gapless_replay::ReplayError;
use gapless_replay::driver::Driver;
use gapless_replay::error::FileName;
use gapless_replay::input::{self, Format, Item, Reader};
use gapless_replay::lines::LINE_MAX;
use gapless_venues::session::SessionConfig;

const CAPTURE: &[u8] = b"1\tC\tws\twss://x\n2\tR\tws\t{\"a\":1}\n3\tR\tws\t{\"a\":2}\n";
const CSV: &[u8] = b"exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
    x,A,1,10,true,bid,1,1\nx,A,1,20,false,bid,2,1\n";
const RAW: &[u8] = b"1970-01-01T00:00:01.0000000Z {\"a\":1}\n\n1970-01-01T00:00:02Z {\"a\":2}\n";
const NORMALIZED: &[u8] =
    b"{\"type\":\"trade\",\"symbol\":\"A\",\"localTimestamp\":\"1970-01-01T00:00:02Z\"}\n";
const RELAY: &[u8] = b"{\"type\":\"delta\",\"bids\":[[1,0]],\"asks\":[]}\n";

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn open(bytes: &[u8], format: Option<Format>) -> Result<Reader, ReplayError> {
    input::open_stream(Cursor::new(bytes.to_vec()), FileName::new("file"), format)
}

/// Reads to the end: items given, and every error as its line of text.
fn drain(reader: &mut Reader) -> (usize, Vec<String>) {
    struct Ignore;
    impl gapless_replay::csv::Sink for Ignore {
        fn event(&mut self, _: &gapless_book::event::Event<'_>) {}
        fn reject(&mut self, _: &gapless_replay::csv::Reject<'_>) {}
    }
    let (mut items, mut errors) = (0, Vec::new());
    loop {
        match reader.advance() {
            Ok(true) => items += 1,
            Ok(false) => return (items, errors),
            Err(error) => errors.push(error.to_string()),
        }
        if let Some(Item::Csv(csv)) = reader.item() {
            csv.emit(&mut Ignore);
        }
    }
}

fn first_error(bytes: &[u8]) -> String {
    let error = match open(bytes, None) {
        Err(error) => error.to_string(),
        Ok(mut reader) => drain(&mut reader).1.into_iter().next().expect("an error"),
    };
    assert!(!error.contains('\n') && error.starts_with("file: "), "{error}");
    assert!(error.len() < 500, "{error}");
    error
}

#[test]
fn every_form_is_told_from_its_bytes_however_it_is_packed() {
    for (bytes, format, items) in [
        (CAPTURE, "capture", 3),
        (RAW, "tardis-raw", 3),
        (NORMALIZED, "normalized", 1),
        (RELAY, "relay", 1),
        (CSV, "csv", 2),
    ] {
        for packed in [bytes.to_vec(), gz(bytes), zst(bytes), [zst(bytes), zst(b"")].concat()] {
            let mut reader = open(&packed, None).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(reader.format().name(), format);
            assert_eq!(drain(&mut reader), (items, vec![]), "{format}");
        }
    }
}

#[test]
fn empty_inputs_say_that_they_are_empty() {
    for bytes in [b"".as_slice(), b"\n", b"\n\n\n", b" \n\t\n", &gz(b""), &zst(b""), &zst(b"\n")] {
        let error = first_error(bytes);
        assert!(error.contains("is empty"), "{error}");
    }
}

#[test]
fn what_is_no_recording_says_what_was_found() {
    let elf = [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0xff, 0xfe, b'\n'];
    for (bytes, found) in [
        (b"x".as_slice(), "\"x\""),
        (b"\0", "\"\\u{0}\""),
        (&elf, "ELF"),
        (b"hello world\n", "hello world"),
        (b"{\"a\":\n", "begins like JSON and is not"),
        (b"{\"a\":1}\n", "JSON lines without receive times"),
        (b"[1,2]\n", "[1,2]"),
        (b"symbol,price\nA,1\n", "without column \"exchange\""),
        (&gz(b"garbage\n"), "garbage"),
        (&zst(b"garbage\n"), "garbage"),
    ] {
        let error = first_error(bytes);
        assert!(error.contains(found), "{error}");
    }
}

#[test]
fn a_name_that_promises_a_compression_that_is_not_there_is_named() {
    for (name, what) in [("a.cap.zst", "as a zstd file"), ("b.csv.gz", "as a gzip file")] {
        let garbage = Cursor::new(b"\x8e\x12garbage\n".to_vec());
        let Err(error) = input::open_stream(garbage, FileName::new(name), None) else { panic!() };
        assert!(error.to_string().contains(what), "{error}");
        // What can be read is read, whatever its name.
        let capture = Cursor::new(CAPTURE);
        assert!(input::open_stream(capture, FileName::new(name), None).is_ok());
    }
}

#[test]
fn a_magic_number_before_garbage_is_a_damaged_stream() {
    for (head, container) in [(&[0x1f, 0x8b, 8][..], "gzip"), (&[0x28, 0xb5, 0x2f, 0xfd], "zstd")] {
        let bytes = [head, &[0xff; 100]].concat();
        let error = first_error(&bytes);
        assert!(error.contains(&format!("the {container} stream is damaged")), "{error}");
        let error = first_error(head);
        assert!(error.contains("cut short") || error.contains("damaged"), "{error}");
    }
}

#[test]
fn a_cut_download_gives_what_it_has_and_says_that_it_was_cut() {
    let rows: String = (0..5000).map(|n| format!("x,A,1,{},false,bid,{n},1\n", n + 20)).collect();
    let text = [CSV, rows.as_bytes()].concat();
    for packed in [gz(&text), zst(&text)] {
        let cut = &packed[..packed.len() / 2];
        match open(cut, None) {
            Ok(mut reader) => {
                let (_, errors) = drain(&mut reader);
                assert_eq!(errors.len(), 1);
                assert!(errors[0].contains("cut short"), "{errors:?}");
            }
            Err(error) => assert!(error.to_string().contains("cut short"), "{error}"),
        }
    }
}

#[test]
fn every_cut_of_every_form_and_container_ends_in_peace() {
    for (bytes, name) in [
        (CAPTURE, "capture"),
        (RAW, "tardis-raw"),
        (NORMALIZED, "normalized"),
        (RELAY, "relay"),
        (CSV, "csv"),
    ] {
        for packed in [bytes.to_vec(), gz(bytes), zst(bytes)] {
            for cut in 0..packed.len() {
                for format in [None, Format::from_name(name)] {
                    let Ok(mut reader) = open(&packed[..cut], format) else { continue };
                    drain(&mut reader);
                }
            }
        }
    }
}

#[test]
fn a_form_that_is_named_wrongly_gives_errors_and_no_panic() {
    for bytes in [CAPTURE, RAW, NORMALIZED, RELAY, CSV, &[0u8, 10, 255, 10, 9, 9, 9, 10]] {
        for format in Format::ALL {
            if let Ok(mut reader) = open(bytes, Some(format)) {
                drain(&mut reader);
            }
        }
    }
}

#[test]
fn a_million_columns_are_refused() {
    let names = vec!["asks[0].price"; 1_000_000].join(",");
    let error = first_error(names.as_bytes());
    assert!(error.contains("more than 4096 columns"), "{error}");
    // In a row they are one refused row.
    let wide = [CSV, &vec![b','; 1_000_000], b"\n", b"x,A,1,30,false,bid,2,1\n"].concat();
    assert_eq!(drain(&mut open(&wide, None).unwrap()), (3, vec![]));
}

#[test]
fn a_line_of_a_hundred_megabytes_is_skipped_and_named() {
    let long = std::io::repeat(b'x').take(100_000_000);
    let stream = Cursor::new(CAPTURE).chain(long).chain(Cursor::new(b"\n4\tR\tws\t{}\n"));
    let mut reader = input::open_stream(stream, FileName::new("file"), None).unwrap();
    let (items, errors) = drain(&mut reader);
    assert_eq!((items, errors.len()), (4, 1));
    assert!(errors[0].contains(&format!("line 4 (byte 45): longer than {LINE_MAX}")), "{errors:?}");
}

#[test]
fn a_bomb_of_one_line_is_read_through_in_bounded_memory() {
    // 300 MB of one byte in some tens of kB.
    let bomb = zstd::encode_all(std::io::repeat(b'x').take(300_000_000), 1).unwrap();
    let error = first_error(&bomb);
    assert!(error.contains("longer than"), "{error}");
}

#[test]
fn a_lost_line_leaves_no_book_live_whose_messages_have_no_numbers() {
    let text = "{\"type\":\"book_change\",\"symbol\":\"A\",\"exchange\":\"x\",\"isSnapshot\":true,\
        \"bids\":[{\"price\":1,\"amount\":2}],\"asks\":[{\"price\":2,\"amount\":2}],\
        \"timestamp\":\"1970-01-01T00:00:01Z\",\"localTimestamp\":\"1970-01-01T00:00:02Z\"}\n";
    let mut reader = open(text.as_bytes(), None).unwrap();
    let mut driver = Driver::new(SessionConfig::replay(), None);
    let id = driver.add(FileName::new("file"), reader.format(), None);
    assert!(reader.advance().unwrap());
    driver.record(id, &reader.record().unwrap(), &mut ());
    let live = |driver: &Driver| {
        let books = driver.lines().iter().flat_map(|line| line.session.books().iter());
        books.filter(|(_, entry)| entry.local.live().is_some()).count()
    };
    assert_eq!(live(&driver), 1);
    driver.lost(id + 1, 1, &mut ());
    assert_eq!(live(&driver), 1, "another input's line");
    driver.lost(id, 1, &mut ());
    assert_eq!(live(&driver), 0);
}
