//! Changes, whole books and shared memory, of a writer whose every message is known.

use crate::writer::{Folder, LEVELS, NAME, Writer};
use gapless::book::publish::Config;
use gapless_c::changes::*;
use gapless_c::reader::*;
use gapless_c::regions::*;
use gapless_c::replica::*;
use gapless_c::types::*;
use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

const OK: gapless_status = gapless_status::Ok;

const EMPTY: gapless_region = gapless_region {
    status: 0,
    pid: 0,
    alive: 0,
    file: [0; 260],
    engine: [0; 72],
    name: [0; 264],
    channel: [0; 72],
    created_ns: 0,
};

fn config() -> Config {
    Config { depth: 5, ring: 1024, levels: 64, writer_silent_ns: 60_000_000_000 }
}

fn attach(folder: &Folder, name: &str) -> (gapless_status, gapless_reader) {
    let (folder, mut reader) = (folder.text(), gapless_reader::default());
    let (f, n) = (folder.as_ptr().cast(), name.as_ptr().cast());
    let status = gapless_regions_attach(f, folder.len(), n, name.len(), &raw mut reader);
    (status, reader)
}

fn list(folder: &Folder, capacity: usize) -> (gapless_status, Vec<gapless_region>) {
    let (folder, mut count) = (folder.text(), 0);
    let mut found = vec![EMPTY; capacity];
    let (f, at) = (folder.as_ptr().cast(), found.as_mut_ptr());
    let status = gapless_regions_list(f, folder.len(), at, capacity, &raw mut count);
    found.truncate(if status == OK { count } else { 0 });
    (status, found)
}

fn said(text: &[c_char]) -> String {
    let bytes: Vec<u8> = text.iter().map(|byte| *byte as u8).collect();
    CStr::from_bytes_until_nul(&bytes).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn what_is_published_in_shared_memory_is_listed_and_attached() {
    let folder = Folder::new();
    assert_eq!(list(&folder, 0), (OK, Vec::new()));
    let mut writer = Writer::new(&folder, &config());
    let user = user_of(&folder);
    std::fs::write(folder.0.join(format!("gapless-{user}.foreign.x")), "else").unwrap();
    assert_eq!(list(&folder, 1).0, gapless_status::TooSmall);
    let (status, found) = list(&folder, 2);
    assert_eq!((status, found.len()), (OK, 2));
    let (foreign, ours) = (&found[0], &found[1]);
    assert_eq!(foreign.status, gapless_status::SharedMemory as i32);
    assert!(said(&foreign.file).ends_with("foreign.x"));
    assert_eq!((ours.status, ours.pid, ours.alive), (0, std::process::id(), 1));
    let names = [said(&ours.engine), said(&ours.name), said(&ours.channel)];
    assert_eq!(names, ["test", NAME, "book"]);

    assert_eq!(attach(&folder, "venue:C").0, gapless_status::NoSuchBook);
    let (status, reader) = attach(&folder, "test/venue:A/B@book");
    assert_eq!(status, OK);
    let mut top = gapless_top::default();
    assert_eq!(gapless_reader_top(reader, &raw mut top), gapless_status::NotLive);
    writer.publish();
    assert_eq!(gapless_reader_top(reader, &raw mut top), OK);
    assert_eq!((top.bid.price, top.ask.price, top.bid.size), (1_000, 1_001, 1));
    assert_eq!((top.standing.price_scale, top.standing.size_scale), (2, 1));
    let mut sides = [[gapless_level::default(); 8]; 2];
    let [bids, asks] = &mut sides;
    let mut depth = gapless_depth::default();
    let (b, a) = (bids.as_mut_ptr(), asks.as_mut_ptr());
    assert_eq!(gapless_reader_depth(reader, b, 8, a, 3, &raw mut depth), OK);
    assert_eq!((depth.bids, depth.asks), (5, 3), "as many as are published and fit");

    drop(writer);
    let (mut state, mut reason) = (9, 0);
    assert_eq!(gapless_reader_state(reader, &raw mut state, &raw mut reason), OK);
    assert_eq!(state, gapless_state::Stale as u8);
    assert_eq!(gapless_reader_last_known_top(reader, &raw mut top), OK);
    assert_eq!(list(&folder, 2).1.len(), 1, "a writer that ends takes its file along");
    assert_eq!(gapless_reader_free(reader), OK);
}

/// The user that files of this process belong to.
fn user_of(folder: &Folder) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(&folder.0).unwrap().uid()
}

#[test]
fn a_writer_that_died_without_a_word_is_stale() {
    let folder = Folder::new();
    let mut writer = Writer::new(&folder, &Config { writer_silent_ns: 1_000_000, ..config() });
    writer.publish();
    let (_, reader) = attach(&folder, NAME);
    writer.die();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let mut top = gapless_top::default();
    assert_eq!(gapless_reader_top(reader, &raw mut top), gapless_status::NotLive);
    assert_eq!(gapless_reader_last_known_top(reader, &raw mut top), OK);
    let (mut state, mut reason) = (9, 0);
    assert_eq!(gapless_reader_state(reader, &raw mut state, &raw mut reason), OK);
    assert_eq!(state, gapless_state::Stale as u8);
    // This process lives, and so do its files.
    let (folder, mut removed) = (folder.text(), 9);
    let swept = gapless_regions_sweep(folder.as_ptr().cast(), folder.len(), &raw mut removed);
    assert_eq!((swept, removed), (OK, 0));
    assert_eq!(gapless_reader_free(reader), OK);
}

struct Followed {
    changes: gapless_changes,
    sides: [[gapless_level; LEVELS as usize]; 2],
    change: gapless_change,
}

impl Followed {
    fn of(reader: gapless_reader) -> Self {
        let mut changes = gapless_changes::default();
        assert_eq!(gapless_reader_changes(reader, &raw mut changes), OK);
        let sides = [[gapless_level::default(); LEVELS as usize]; 2];
        Self { changes, sides, change: gapless_change::default() }
    }

    fn read(&mut self, room: usize) -> gapless_status {
        let [bids, asks] = &mut self.sides;
        let (b, a) = (bids.as_mut_ptr(), asks.as_mut_ptr());
        gapless_changes_read(self.changes, b, room, a, room, &raw mut self.change)
    }
}

#[test]
fn each_change_is_given_once_and_a_lapped_reader_is_told() {
    let folder = Folder::new();
    let mut writer = Writer::new(&folder, &config());
    writer.publish();
    let (_, reader) = attach(&folder, NAME);
    let mut followed = Followed::of(reader);
    assert_eq!(gapless_reader_free(reader), OK);
    assert_eq!(followed.read(10), gapless_status::NothingNew);
    for seq in 2..5 {
        writer.publish();
        assert_eq!(followed.read(9), gapless_status::TooSmall, "{seq}");
        assert_eq!((followed.change.bids, followed.change.asks), (10, 10), "what is needed");
        assert_eq!(followed.sides[0][0].size, if seq == 2 { 0 } else { seq - 1 }, "untouched");
        assert_eq!(followed.read(10), OK, "the same again");
        assert_eq!((followed.change.standing.seq, followed.sides[1][9].size), (seq, seq));
        assert_eq!(followed.change.kind, gapless_change_kind::Delta as u8);
        assert_eq!(followed.read(10), gapless_status::NothingNew);
    }
    for _ in 0..200 {
        writer.publish();
    }
    assert_eq!(followed.read(10), gapless_status::Lapped);
    assert_eq!(followed.read(10), gapless_status::NothingNew);
    writer.publish();
    assert_eq!(followed.read(10), OK);
    assert_eq!(followed.change.standing.seq, writer.seq);
    assert_eq!(gapless_changes_free(followed.changes), OK);
    assert_eq!(followed.read(10), gapless_status::InvalidHandle);
}

#[test]
fn a_replica_is_the_whole_book() {
    let folder = Folder::new();
    let mut writer = Writer::new(&folder, &config());
    let (_, reader) = attach(&folder, NAME);
    let mut replica = gapless_replica::default();
    assert_eq!(gapless_reader_replica(reader, &raw mut replica), OK);
    let mut sides = [[gapless_level::default(); 10]; 2];
    let [bids, asks] = &mut sides;
    let (b, a) = (bids.as_mut_ptr(), asks.as_mut_ptr());
    let (mut depth, mut counts) = (gapless_depth::default(), [0usize; 2]);
    let known = gapless_replica_last_known_depth(replica, b, 10, a, 10, &raw mut depth);
    assert_eq!(known, gapless_status::Busy, "before the first refresh");
    for _ in 0..300 {
        writer.publish();
    }
    let [bid_count, ask_count] = &mut counts;
    assert_eq!(gapless_replica_refresh(replica, bid_count, ask_count), OK);
    assert_eq!(counts, [10, 10], "more than the five that are published as depth");
    assert_eq!(gapless_replica_depth(replica, b, 10, a, 2, &raw mut depth), OK);
    assert_eq!((depth.bids, depth.asks, depth.standing.seq), (10, 2, 300));
    assert_eq!((sides[0][9].price, sides[0][9].size), (991, 300), "best first");
    drop(writer);
    let [bids, asks] = &mut sides;
    let (b, a) = (bids.as_mut_ptr(), asks.as_mut_ptr());
    let live = gapless_replica_depth(replica, b, 10, a, 10, &raw mut depth);
    assert_eq!(live, gapless_status::NotLive);
    assert_eq!(gapless_replica_last_known_depth(replica, b, 10, a, 10, &raw mut depth), OK);
    assert_eq!(gapless_replica_free(replica), OK);
    assert_eq!(gapless_reader_free(reader), OK);
}

#[test]
fn a_book_without_a_log_has_no_changes_and_no_replica() {
    let folder = Folder::new();
    let mut writer = Writer::new(&folder, &Config { ring: 0, levels: 1, ..config() });
    writer.publish();
    let (status, reader) = attach(&folder, NAME);
    assert_eq!(status, OK);
    let mut changes = gapless_changes::default();
    let none = gapless_status::NotPublished;
    assert_eq!(gapless_reader_changes(reader, &raw mut changes), none);
    let mut replica = gapless_replica::default();
    assert_eq!(gapless_reader_replica(reader, &raw mut replica), OK);
    assert_eq!(gapless_replica_refresh(replica, &mut 0, &mut 0), none);
    assert_eq!(
        gapless_replica_refresh(replica, null_mut(), &mut 0),
        gapless_status::InvalidPointer
    );
    assert_eq!(gapless_replica_free(replica), OK);
    assert_eq!(gapless_reader_free(reader), OK);
}
