//! Names the shared library for those who load it: the file may have another name.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // It changes when the interface may break, before 1.0 with each minor version; install.sh
        // says the same name.
        let part = |name| std::env::var(name).unwrap_or_default();
        let [major, minor] = ["CARGO_PKG_VERSION_MAJOR", "CARGO_PKG_VERSION_MINOR"].map(part);
        let number = if major == "0" { format!("0.{minor}") } else { major };
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libgapless.so.{number}");
    }
}
