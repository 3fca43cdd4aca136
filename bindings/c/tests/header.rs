//! The committed header is what the sources say.

use std::path::Path;

#[test]
fn the_header_is_made_from_the_sources() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in [
        "types", "text", "engine", "reader", "changes", "replica", "regions", "event", "events",
        "latency", "views",
    ] {
        builder = builder.with_src(crate_dir.join(format!("src/{file}.rs")));
    }
    builder.generate().unwrap().write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let path = crate_dir.join("include/gapless.h");
    if std::env::var_os("GAPLESS_WRITE_HEADER").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "include/gapless.h is not what the sources say; make it anew with \
         GAPLESS_WRITE_HEADER=1 cargo test -p gapless-c --test header"
    );
}
