//! The interface as users have it: installed, found by pkg-config and by CMake, with every warning
//! of a C and a C++ compiler an error, run on the samples, also under ASan and valgrind.

#[path = "../../../crates/gapless/examples/market_maker.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod market_maker;
#[allow(dead_code, reason = "the other test needs more of it")]
#[path = "ffi/writer.rs"]
mod writer;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use writer::{Folder, Writer};

const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"];
const LANGUAGES: [(&str, &str, &str); 2] = [("cc", "-std=c11", "c"), ("c++", "-std=c++17", "cpp")];
/// As above, of later years: the headers have more in them.
const LATER: [(&str, &str, &str); 2] = [("cc", "-std=c17", "c"), ("c++", "-std=c++20", "cpp")];

/// A program of tests; the others are examples.
const OBJECTS: &str = "objects";
const SANITIZED: [&str; 3] = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// Those that this machine has a compiler for.
fn languages() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    LANGUAGES.into_iter().filter(|(compiler, ..)| has(compiler))
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The name that programs record: before 1.0 each minor version is an interface of its own.
fn soname() -> String {
    let parts: Vec<_> = env!("CARGO_PKG_VERSION").split('.').collect();
    let interface = if parts[0] == "0" { parts[..2].join(".") } else { parts[0].to_owned() };
    format!("libgapless.so.{interface}")
}

fn samples() -> String {
    here().join("../../samples/").display().to_string()
}

/// The writer may be kept from its core for as long as this machine likes.
fn config(paths: &str) -> String {
    format!(r#"{{"writer_silent_ms":60000,"sources":[{{"replay":["{paths}"]}}]}}"#)
}

/// Whether a program is there; says loudly what is not tested otherwise.
fn has(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        println!("!! SKIPPED: no {program} on this machine");
    }
    is_there
}

#[track_caller]
fn done(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, words) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}\n{words}");
    out
}

fn installer(folder: &Path) -> Command {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap();
    assert!(built.join("libgapless_c.so").exists(), "cargo builds the library with this test");
    let mut install = Command::new(here().join("install.sh"));
    install.arg("--prefix").arg(folder).arg("--built").arg(built).env_remove("DESTDIR");
    install
}

/// An empty folder of this test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("installed-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// It, installed for one test.
struct Installed(PathBuf);

impl Installed {
    fn new(name: &str) -> Self {
        let prefix = folder(name);
        done(&mut installer(&prefix));
        Self(prefix)
    }

    fn pkg_config(&self, flags: &[&str]) -> Vec<String> {
        let mut asked = Command::new("pkg-config");
        asked.args(flags).arg("gapless").env("PKG_CONFIG_PATH", self.0.join("lib/pkgconfig"));
        done(&mut asked).split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles an example against what is installed.
    fn compile(&self, language: (&str, &str, &str), name: &str, more: &[&str]) -> PathBuf {
        let (compiler, standard, ending) = language;
        let program = self.0.join(format!("{name}{standard}-{ending}{}", more.len()));
        let mut command = Command::new(compiler);
        command.arg(standard).args(WARNINGS).args(more).arg("-O1").arg("-o").arg(&program);
        let folder = if name == OBJECTS { "tests" } else { "examples" };
        command.arg(here().join(format!("{folder}/{name}.{ending}")));
        done(command.args(self.pkg_config(&["--cflags", "--libs"])));
        program
    }

    /// A program that finds the library, in the folder above the samples.
    fn program(&self, path: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(path);
        command.env("LD_LIBRARY_PATH", self.0.join("lib")).current_dir(here().join("../.."));
        command
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the replay itself says of the samples: the books that end live, and no others.
fn expected_live() -> usize {
    let mut replay = gapless::Replay::open([samples()]).unwrap();
    replay.run(&mut ()).unwrap();
    replay.books().filter(|book| book.state() == gapless::book::local::State::Live).count()
}

/// What the first book of each language prints.
fn expected_first() -> String {
    let engine = gapless::config::read(&config(&samples())).unwrap().start().unwrap();
    engine.join();
    let top = engine.book("okx:BTC-USDT-SWAP").unwrap().top().unwrap();
    let price = |level: gapless::book::event::Level| {
        gapless::book::decimal::Decimal::new(level.price, top.status.scales.price)
    };
    format!("{} x {}\n", price(top.bid.unwrap()), price(top.ask.unwrap()))
}

#[test]
fn examples_found_by_pkg_config_see_the_books_of_a_replay() {
    if !has("pkg-config") {
        return;
    }
    let installed = Installed::new("pkg-config");
    let first = expected_first();
    let mut tops = Vec::new();
    for language in languages().chain(LATER.into_iter().filter(|of| has(of.0))) {
        let built = installed.compile(language, "first_book", &[]);
        assert_eq!(done(&mut installed.program(built)), first);
    }
    for language in languages() {
        tops.push(done(
            installed.program(installed.compile(language, "top", &[])).arg(config(&samples())),
        ));
    }
    let live = tops[0].lines().filter(|line| line.contains(" GAPLESS_STATUS_OK ")).count();
    assert_eq!(live, expected_live(), "{}", tops[0]);
    assert!(live > 3);
    assert!(tops.iter().all(|top| *top == tops[0]), "{tops:?}");
}

#[test]
fn examples_found_by_cmake_run_with_either_library() {
    if !has("cmake") || !has("c++") {
        return;
    }
    let installed = Installed::new("cmake");
    let (build, first) = (folder("cmake-build"), expected_first());
    let find = format!("-DCMAKE_PREFIX_PATH={}", installed.0.display());
    done(
        Command::new("cmake")
            .arg("-S")
            .arg(here().join("examples"))
            .arg("-B")
            .arg(&build)
            .arg(find),
    );
    done(Command::new("cmake").arg("--build").arg(&build).args(["--parallel", "2"]));
    for name in ["first_book_c", "first_book_cpp"] {
        for library in ["gapless", "static"] {
            let built = build.join(format!("{name}_{library}"));
            // CMake has told it where the library is.
            let mut command = Command::new(&built);
            assert_eq!(done(command.current_dir(here().join("../.."))), first, "{built:?}");
            let needed = done(Command::new("readelf").arg("-d").arg(&built));
            assert_eq!(
                needed.contains(&format!("[{}]", soname())),
                library == "gapless",
                "{needed}"
            );
        }
    }
}

#[test]
fn examples_are_clean_under_asan_and_valgrind() {
    if !has("pkg-config") {
        return;
    }
    let installed = Installed::new("clean");
    let (sample, folder) = (config(&format!("{}okx.cap.zst", samples())), Folder::new());
    let mut writer = Writer::new(
        &folder,
        &gapless::book::publish::Config { writer_silent_ns: i64::MAX, ..Default::default() },
    );
    writer.publish();
    let shared = folder.text();
    // With what is printed the same every time, or not.
    let programs: [(&str, &[&str], bool); 5] = [
        ("top", &[&sample], true),
        ("events", &[&sample], true),
        ("attach", &[&shared, writer::NAME], true),
        ("latency", &[&sample], false),
        ("market_maker", &[&sample, "okx:BTC-USDT-SWAP"], false),
    ];
    let has_valgrind = has("valgrind");
    for language in languages() {
        for (name, arguments, is_same) in programs {
            let plain = installed.compile(language, name, &[]);
            let seen = done(installed.program(&plain).args(arguments));
            let asan = installed.compile(language, name, &SANITIZED);
            let asan = done(installed.program(&asan).args(arguments));
            assert!(!seen.is_empty() && (!is_same || asan == seen), "{name}: {asan}");
            // The C++ programs do what the C ones do, and more.
            if has_valgrind && (language.0 == "c++" || name == "top") {
                let mut valgrind = installed.program("valgrind");
                valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
                valgrind.args(["--errors-for-leak-kinds=definite", "--"]);
                let found = done(valgrind.arg(plain).args(arguments));
                assert!(!is_same || found == seen, "{name}: {found}");
            }
        }
    }
}

#[test]
fn objects_of_cpp_keep_their_promises() {
    if !has("pkg-config") || !has("c++") {
        return;
    }
    let installed = Installed::new("objects");
    let sample = config(&format!("{}okx.cap.zst", samples()));
    for language in [LANGUAGES[1], LATER[1]] {
        let program = installed.compile(language, OBJECTS, &SANITIZED);
        assert_eq!(
            done(installed.program(program).arg(&sample).arg("okx:BTC-USDT-SWAP@books")),
            ""
        );
    }
}

/// What the example of events prints of a recording.
fn expected_events(config: &str) -> String {
    use gapless::events::{Body, Topic};
    let mut engine = gapless::config::read(config).unwrap().build();
    let interest =
        gapless::engine::Interest::in_topics([Topic::Trades, Topic::States]).with_irregular();
    let mut events = engine.subscribe(&interest.capacity(1 << 20)).unwrap();
    engine.start().unwrap();
    let mut lines = String::new();
    while let Ok(received) = events.next() {
        let gapless::engine::Received::Event(event) = received else { panic!("{received:?}") };
        let line = match event.body {
            Body::Trade(trade) => {
                let name = events.name(event.instrument).unwrap();
                let side = match trade.taker {
                    gapless::book::event::TakerSide::Unknown => "?",
                    gapless::book::event::TakerSide::Buy => "buy",
                    gapless::book::event::TakerSide::Sell => "sell",
                };
                format!("{name} {side} {} at {}\n", trade.size, trade.price)
            }
            Body::State(state) => {
                let name = events.name(state.book).unwrap();
                let code = match state.state {
                    gapless::book::local::State::Live => 0,
                    gapless::book::local::State::Syncing => 1,
                    gapless::book::local::State::Stale => 2,
                    gapless::book::local::State::Failed => 3,
                };
                format!("{name} state {code}\n")
            }
            _ => String::new(),
        };
        lines.push_str(&line);
    }
    lines
}

#[test]
fn events_are_those_that_rust_is_given() {
    if !has("pkg-config") {
        return;
    }
    let installed = Installed::new("events");
    let sample = config(&format!("{}okx.cap.zst", samples()));
    let expected = expected_events(&sample);
    assert!(expected.contains(" state 0\n") && expected.contains(" buy "), "{expected}");
    for language in languages() {
        let program = installed.compile(language, "events", &[]);
        let printed = done(installed.program(program).arg(&sample));
        assert!(printed == expected, "{language:?}: {printed}\nexpected: {expected}");
    }
}

#[test]
fn stages_are_timed_in_every_language() {
    if !has("pkg-config") {
        return;
    }
    let installed = Installed::new("latency");
    let sample = config(&format!("{}okx.cap.zst", samples()));
    let mut engine = gapless::config::read(&sample).unwrap().build();
    engine.measure(true);
    engine.start().unwrap();
    engine.join();
    let messages = engine.latency().unwrap().leg(gapless::latency::Leg::Whole).len();
    for language in languages() {
        let program = installed.compile(language, "latency", &[]);
        let printed = done(installed.program(program).arg(&sample));
        for stage in ["parse", "sequence", "apply", "publish", "whole"] {
            let row = format!("{stage:<10} {messages:>8} p50 ");
            assert!(printed.lines().any(|line| line.starts_with(&row)), "{row}: {printed}");
        }
        let json = printed.lines().last().unwrap();
        assert!(
            json.starts_with('{') && json.contains(&format!("\"count\":{messages},")),
            "{json}"
        );
        assert!(!printed.contains("from_due  "), "nothing was due: {printed}");
    }
}

/// Quotes of the market maker in Rust, by the number of the message that they stand after.
fn quoted(lines: &str) -> Vec<(i64, &str)> {
    let line = |line| -> Option<(i64, &str)> {
        let (seq, quotes) = str::split_once(line, ' ')?;
        Some((seq.parse().ok()?, quotes))
    };
    lines.lines().map(|text| line(text).unwrap_or_else(|| panic!("{text}"))).collect()
}

#[test]
fn market_makers_of_all_languages_end_with_the_same_quotes() {
    if !has("pkg-config") {
        return;
    }
    let installed = Installed::new("market-maker");
    let path = format!("{}okx.cap.zst", samples());
    let name = "okx:BTC-USDT-SWAP";
    let mut ours = Vec::new();
    let speed = gapless::replay::pace::Speed::Max;
    market_maker::trade(std::slice::from_ref(&path), name, speed, &mut ours).unwrap();
    let ours = String::from_utf8(ours).unwrap();
    let ours = quoted(&ours);
    let (_, last) = *ours.last().unwrap();
    assert_ne!(last, "- -");
    for language in languages() {
        let program = installed.compile(language, "market_maker", &[]);
        let printed = done(installed.program(program).arg(config(&path)).arg(name));
        let printed = quoted(&printed);
        assert_eq!(printed.last().unwrap().1, last, "{language:?}");
        for (seq, quotes) in &printed {
            let same: Vec<_> = ours.iter().filter(|(of, _)| of == seq).collect();
            let is_same = same.iter().any(|(_, of)| of == quotes);
            assert!(same.is_empty() || *quotes == "- -" || is_same, "{language:?} {seq}: {quotes}");
        }
    }
}

#[test]
fn another_process_attaches_to_what_an_engine_shares() {
    if !has("pkg-config") {
        return;
    }
    let installed = Installed::new("attach");
    let folder = Folder::new();
    let text = config(&format!("{}okx.cap.zst", samples()));
    let text =
        text.replacen('{', &format!(r#"{{"share":"c","share_folder":"{}","#, folder.text()), 1);
    let engine = gapless::config::read(&text).unwrap().start().unwrap();
    engine.join();
    let mut books = engine.books();
    books.sort_by_key(gapless::engine::BookInfo::full_name);
    for language in languages() {
        let attach = installed.compile(language, "attach", &[]);
        let listed = done(installed.program(&attach).arg(folder.text()));
        let mut listed: Vec<_> = listed.lines().collect();
        listed.sort_unstable();
        let names: Vec<_> =
            books.iter().map(|book| format!("c/{}@{}", book.name, book.channel)).collect();
        assert_eq!(listed, names);
        let first =
            done(installed.program(&attach).arg(folder.text()).arg("c/okx:BTC-USDT-SWAP@books"));
        assert_eq!(first, expected_first());
        let none = installed.program(&attach).arg(folder.text()).arg("okx:NONE").output().unwrap();
        assert_eq!(none.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&none.stderr).contains("okx:NONE"), "{none:?}");
    }
}

#[test]
fn another_process_follows_a_writer() {
    if !has("pkg-config") {
        return;
    }
    let installed = Installed::new("follow");
    let (folder, is_done) = (Folder::new(), AtomicBool::new(false));
    let programs =
        languages().map(|language| installed.compile(language, "attach", &[])).collect::<Vec<_>>();
    let mut writer = Writer::new(&folder, &gapless::book::publish::Config::default());
    writer.publish();
    let followed = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                writer.publish();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let follow =
            |path| installed.program(path).arg(folder.text()).args([writer::NAME, "20"]).output();
        let followed: Vec<_> = programs.iter().map(|path| follow(path).unwrap()).collect();
        is_done.store(true, Ordering::Relaxed);
        followed
    });
    for Output { status, stdout, stderr } in followed {
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        let text = String::from_utf8(stdout).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("10 x 10.01"));
        let seqs: Vec<u64> = lines
            .map(|line| {
                let (seq, rest) = line.strip_prefix("seq ").unwrap().split_once(": ").unwrap();
                assert_eq!(rest, "10 bids, 10 asks");
                seq.parse().unwrap()
            })
            .collect();
        assert_eq!(seqs.len(), 20);
        assert!(seqs.is_sorted_by(|a, b| a + 1 == *b), "{seqs:?}");
    }
}

#[test]
fn a_package_is_staged_below_destdir() {
    let (stage, prefix) = (folder("stage"), Path::new("/opt/gapless"));
    let mut install = installer(prefix);
    done(install.env("DESTDIR", &stage).args(["--libdir", "/opt/gapless/lib64"]));
    let lib = stage.join("opt/gapless/lib64");
    let pc = std::fs::read_to_string(lib.join("pkgconfig/gapless.pc")).unwrap();
    assert!(pc.contains("prefix=/opt/gapless\nlibdir=/opt/gapless/lib64\n"), "{pc}");
    assert!(!pc.contains(stage.to_str().unwrap()) && !pc.contains('@'), "{pc}");
    let target = std::fs::canonicalize(lib.join("libgapless.so")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(target.ends_with(format!("libgapless.so.{version}")), "{target:?}");
    let dynamic = done(Command::new("readelf").arg("-d").arg(target));
    assert!(dynamic.contains(&format!("Library soname: [{}]", soname())), "{dynamic}");
    assert!(lib.join(soname()).exists());
    for file in ["gapless.h", "gapless.hpp"] {
        assert!(stage.join("opt/gapless/include").join(file).exists());
    }
}

#[test]
fn what_cannot_be_installed_is_refused_with_words() {
    for (arguments, words) in [
        (&["--perfix", "/opt/x"][..], "--perfix is not known"),
        (&["--prefix", "relative"], "relative: not a path from the root"),
        (&["--prefix", "/opt/a b"], "blanks"),
        (&["--prefix"], "--prefix needs a folder"),
        (&["--prefix", "/opt/x", "--built", "/nowhere"], "/nowhere/libgapless_c.so is not there"),
    ] {
        let ran = Command::new(here().join("install.sh")).args(arguments).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&ran.stderr).contains(words), "{ran:?}");
    }
}
