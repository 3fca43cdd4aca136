//! Which process writes a publication, and whether it still lives.
//!
//! Invariant: a number is given to many processes one after another; with the time at which it was
//! given, and the boot in which, it names one.

use rustix::io::Errno;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub pid: u32,
    /// When it began, in the kernel's ticks since boot.
    pub start_ticks: u64,
    /// Which boot.
    pub boot: u64,
    /// Which numbering of processes: containers have their own.
    pub namespace: u64,
    /// Which zero of the clock since boot: containers may have their own.
    pub clock: u64,
}

impl Owner {
    /// This process.
    pub fn me() -> Self {
        let pid = std::process::id();
        let start_ticks = start_ticks(pid).ok().flatten().unwrap_or(0);
        let (namespace, clock) = (namespace("pid"), namespace("time"));
        Self { pid, start_ticks, boot: boot(), namespace, clock }
    }

    /// Whether its times mean to this process what they mean to itself.
    pub fn has_our_clock(&self) -> bool {
        self.boot == boot() && self.clock == namespace("time")
    }

    /// Whether it lives; `None` if this process cannot know because it sees other numbers, or
    /// cannot look.
    pub fn is_alive(&self) -> Option<bool> {
        if self.boot != boot() {
            return Some(false);
        }
        if self.namespace != namespace("pid") || self.start_ticks == 0 {
            return None;
        }
        start_ticks(self.pid).ok().map(|found| found == Some(self.start_ticks))
    }
}

/// When a process began; `None` if it has ended, though its parent may not have asked how.
fn start_ticks(pid: u32) -> io::Result<Option<u64>> {
    stat(Path::new("/proc"), pid)
}

fn stat(proc: &Path, pid: u32) -> io::Result<Option<u64>> {
    // Anything but its absence, as that no file can be opened now, says nothing about the process.
    proc.join("self/stat").metadata()?;
    let stat = match std::fs::read(proc.join(pid.to_string()).join("stat")) {
        Ok(stat) => stat,
        Err(error) => {
            let gone = [Some(Errno::NOENT), Some(Errno::SRCH)];
            return if gone.contains(&Errno::from_io_error(&error)) {
                Ok(None)
            } else {
                Err(error)
            };
        }
    };
    Ok(parsed(&String::from_utf8_lossy(&stat)))
}

fn parsed(stat: &str) -> Option<u64> {
    // The name before may hold anything, blanks and parentheses too.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Hash of the name of this boot.
fn boot() -> u64 {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn namespace(kind: &str) -> u64 {
    std::fs::metadata(format!("/proc/self/ns/{kind}")).map_or(0, |data| data.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_looked_at_may_live() {
        let me = Owner::me();
        // It could not look at itself.
        assert_eq!(Owner { start_ticks: 0, ..me }.is_alive(), None);
        assert!(stat(Path::new("/proc"), me.pid).unwrap().is_some());
        // No process has this number; no system is mounted there; a name that is no folder.
        assert_eq!(stat(Path::new("/proc"), u32::MAX).unwrap(), None);
        assert!(stat(Path::new("/dev"), me.pid).is_err());
        assert!(stat(Path::new("/dev/null"), me.pid).is_err());
        assert_eq!(
            parsed("7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99"),
            Some(99)
        );
        assert_eq!(parsed("7 (a) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99"), None);
    }

    #[test]
    fn a_process_lives_until_it_has_ended_and_its_number_is_not_its_name() {
        let me = Owner::me();
        assert_eq!(me.is_alive(), Some(true));
        assert_eq!(Owner { start_ticks: me.start_ticks + 1, ..me }.is_alive(), Some(false));
        assert_eq!(Owner { boot: !me.boot, ..me }.is_alive(), Some(false));
        assert_eq!(Owner { namespace: 1, ..me }.is_alive(), None);
        assert_eq!(Owner { clock: 1, ..me }.is_alive(), Some(true));
        let clocks = [me, Owner { boot: !me.boot, ..me }, Owner { clock: 1, ..me }];
        assert_eq!(clocks.map(|owner| owner.has_our_clock()), [true, false, false]);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let start_ticks = start_ticks(child.id()).unwrap().unwrap();
        let owner = Owner { pid: child.id(), start_ticks, ..me };
        assert_eq!(owner.is_alive(), Some(true));
        child.kill().unwrap();
        // Nobody has asked how it ended: its number is still taken.
        let ended = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            owner.is_alive() == Some(false)
        });
        assert!(ended);
        child.wait().unwrap();
        assert_eq!(owner.is_alive(), Some(false));
    }
}
