//! Names the shared library for those who load it: the file may have another name.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // It changes when the interface breaks; install.sh says the same name.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libgapless.so.0");
    }
}
