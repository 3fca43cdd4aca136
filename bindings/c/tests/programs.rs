//! The examples, compiled by a C and a C++ compiler with every warning an error, and run.

use std::path::{Path, PathBuf};
use std::process::Command;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo put the shared library: beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    let names = [folder.join("libgapless_c.so"), folder.join("../libgapless_c.so")];
    let found = names.into_iter().find(|path| path.exists());
    found.expect("cargo builds libgapless_c.so with this test")
}

/// Compiles an example and says what it printed, of the samples.
fn run(compiler: &str, standard: &str, source: &str) -> String {
    let library = library();
    let folder = library.parent().unwrap();
    let program = folder.join(format!("example_{}", source.replace('.', "_")));
    let mut compile = Command::new(compiler);
    compile.args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-o"]);
    compile.arg(&program).arg(here().join("examples").join(source));
    compile.arg("-I").arg(here().join("include")).arg(&library);
    compile.arg(format!("-Wl,-rpath,{}", folder.display()));
    let compiled = compile.output().unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let samples = here().join("../../samples");
    let config = format!(r#"{{"sources":[{{"replay":["{}/"]}}]}}"#, samples.display());
    let ran = Command::new(&program).arg(config).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// What the replay itself says: the books that end live, and no others.
fn expected_live() -> usize {
    let samples = here().join("../../samples");
    let mut replay = gapless::Replay::open([samples.display().to_string()]).unwrap();
    replay.run(&mut ()).unwrap();
    replay.books().filter(|book| book.state() == gapless::book::local::State::Live).count()
}

#[test]
fn examples_in_c_and_cpp_see_the_same_books_as_a_replay() {
    let c = run("cc", "-std=c11", "top.c");
    let cpp = run("c++", "-std=c++17", "top.cpp");
    assert_eq!(c, cpp);
    let live = c.lines().filter(|line| line.contains(" GAPLESS_STATUS_OK ")).count();
    assert_eq!(live, expected_live(), "{c}");
    assert!(live > 3, "{c}");
}
