//! The one clock of publications: the time since the machine began, the same for every process. It
//! is that of the feeds, and goes on while the machine is suspended.

pub use gapless_feed::net::clock::boot_ns as now_ns;
