//! What the capture writer writes, the reader reads: whole, torn at every byte, and in frames.

use std::io::Cursor;

use gapless_replay::capture::{Reader, Writer};
use gapless_replay::container;
use gapless_replay::error::FileName;
use gapless_replay::lines::Lines;
use gapless_replay::{Record, RecordKind, Stats};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    recv_ns: i64,
    kind: RecordKind,
    source: String,
    payload: Vec<u8>,
}

impl Owned {
    fn borrow(&self) -> Record<'_> {
        let (recv_ns, kind) = (self.recv_ns, self.kind);
        Record { recv_ns, kind, source: &self.source, payload: &self.payload, line: 0 }
    }
}

/// Reads packed or plain bytes to the end.
fn read(bytes: &[u8]) -> (Vec<Owned>, Stats) {
    let (_, source) = container::unpack(Cursor::new(bytes.to_vec())).unwrap();
    let mut reader = Reader::new(Lines::new(source, FileName::new("f")));
    let mut records = Vec::new();
    while reader.advance().unwrap() {
        let r = reader.record().unwrap();
        let (source, payload) = (r.source.to_owned(), r.payload.to_vec());
        records.push(Owned { recv_ns: r.recv_ns, kind: r.kind, source, payload });
    }
    (records, reader.stats())
}

fn records() -> impl Strategy<Value = Vec<Owned>> {
    let kind = prop_oneof![
        Just(RecordKind::Open),
        Just(RecordKind::Sent),
        Just(RecordKind::Frame),
        Just(RecordKind::Binary),
        Just(RecordKind::Http),
        Just(RecordKind::Disconnect),
    ];
    let record = (0i64..i64::MAX, kind, "[a-z.0-9:/?=&]{0,12}", any::<Vec<u8>>());
    let owned = record.prop_map(|(recv_ns, kind, source, mut payload)| {
        if kind != RecordKind::Binary {
            payload.retain(|byte| !b"\t\n".contains(byte));
        }
        Owned { recv_ns, kind, source, payload }
    });
    proptest::collection::vec(owned, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_written_reads_back_and_a_torn_text_to_its_last_whole_line(records in records()) {
        let mut writer = Writer::plain(Vec::new());
        // Length of the text after each record.
        let mut ends = vec![0];
        for record in &records {
            writer.record(&record.borrow()).unwrap();
            let mut text = Writer::plain(Vec::new());
            text.record(&record.borrow()).unwrap();
            ends.push(ends.last().unwrap() + text.finish().unwrap().len());
        }
        let text = writer.finish().unwrap();
        prop_assert_eq!(read(&text).0, records.clone());
        // Below four bytes a text may look like anything; the container needs them to be told.
        for cut in 0..text.len() {
            let (given, stats) = read(&text[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            prop_assert_eq!(&given[..], &records[..whole]);
            prop_assert_eq!(stats.torn_bytes as usize, cut - ends[whole]);
        }
    }

    #[test]
    fn closed_frames_survive_every_cut(records in records(), every in 1usize..4) {
        let mut writer = Writer::zstd(Vec::new(), 1).unwrap();
        writer.meta(1, "okx", "a test").unwrap();
        for (at, record) in records.iter().enumerate() {
            writer.record(&record.borrow()).unwrap();
            if at % every == every - 1 {
                writer.close_frame().unwrap();
            }
        }
        let packed = writer.finish().unwrap();
        let (given, stats) = read(&packed);
        prop_assert_eq!(&given, &records);
        prop_assert_eq!(stats.torn_bytes, 0);
        // Cuts one byte apart at the end, and some before.
        let cuts = (4..packed.len()).filter(|cut| cut % 7 == 0 || cut + 40 > packed.len());
        let mut longest = 0;
        for cut in cuts {
            let (given, _) = read(&packed[..cut]);
            prop_assert!(records.starts_with(&given));
            prop_assert!(given.len() >= longest, "a longer file gives less");
            longest = given.len();
        }
        prop_assert!(longest + every >= records.len());
    }

    #[test]
    fn any_bytes_are_read_to_their_end_without_a_panic(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'\t'), Just(b'\n'), Just(b'R'), b'0'..=b'9', any::<u8>()], 0..200),
    ) {
        let mut reader = Reader::new(Lines::new(Cursor::new(bytes.clone()), FileName::new("f")));
        let mut errors = 0;
        while match reader.advance() {
            Ok(more) => more,
            Err(error) => {
                prop_assert!(!error.is_fatal());
                errors += 1;
                true
            }
        } {}
        let stats = reader.stats();
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        prop_assert_eq!(stats.lines, lines);
        prop_assert!(stats.records + stats.unknown_kinds + errors <= lines);
    }
}
