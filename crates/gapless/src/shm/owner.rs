//! Which process writes a publication, and whether it still lives.
//!
//! Invariant: a number is given to many processes one after another; with the time at which it was
//! given, and the boot in which, it names one.

use std::os::unix::fs::MetadataExt;

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
}

impl Owner {
    /// This process.
    pub fn me() -> Self {
        let pid = std::process::id();
        let start_ticks = start_ticks(pid).unwrap_or(0);
        Self { pid, start_ticks, boot: boot(), namespace: namespace() }
    }

    /// Whether it lives; `None` if this process cannot know because it sees other numbers.
    pub fn is_alive(&self) -> Option<bool> {
        if self.boot != boot() {
            return Some(false);
        }
        (self.namespace == namespace()).then(|| start_ticks(self.pid) == Some(self.start_ticks))
    }
}

/// When a process began; `None` if it has ended, though its parent may not have asked how.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
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

fn namespace() -> u64 {
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |data| data.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_lives_until_it_has_ended_and_its_number_is_not_its_name() {
        let me = Owner::me();
        assert_eq!(me.is_alive(), Some(true));
        assert_eq!(Owner { start_ticks: me.start_ticks + 1, ..me }.is_alive(), Some(false));
        assert_eq!(Owner { boot: !me.boot, ..me }.is_alive(), Some(false));
        assert_eq!(Owner { namespace: 1, ..me }.is_alive(), None);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let start_ticks = start_ticks(child.id()).unwrap();
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
