//! How much memory this process may use: the least of its control groups' limits (cgroup v1 and v2), else what the machine
//! has.

use crate::config::budget::Memory;
#[cfg(any(target_os = "linux", test))]
use crate::config::budget::Source;

/// What there is now.
#[cfg(target_os = "linux")]
#[must_use]
pub fn found() -> Memory {
    use procfs::Current;
    let machine = procfs::Meminfo::current().ok().map(|info| info.mem_total);
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let read = |path: &str| std::fs::read_to_string(path).ok();
    match (cgroup_limit(&groups, read), machine) {
        (Some(limit), machine) if machine.is_none_or(|machine| limit < machine) => {
            Memory { bytes: Some(limit), source: Source::Cgroup }
        }
        (_, Some(machine)) => Memory { bytes: Some(machine), source: Source::Machine },
        _ => Memory::default(),
    }
}

/// What there is: nobody says.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn found() -> Memory {
    Memory::default()
}

/// The least limit of the control groups that a process is in (`/proc/self/cgroup`, see cgroups(7)), their parents
/// included. A container may see its own group as the root, so that the root's limit counts too.
#[cfg(any(target_os = "linux", test))]
fn cgroup_limit(groups: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let mut least: Option<u64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let places: &[(&str, &str)] = match controllers {
            // Version 2, by itself or beside version 1.
            "" => &[("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/unified", "memory.max")],
            _ if controllers.split(',').any(|name| name == "memory") => {
                &[("/sys/fs/cgroup/memory", "memory.limit_in_bytes")]
            }
            _ => continue,
        };
        for (mount, file) in places {
            let limits = ancestors(path).filter_map(|group| limit_of(&read(&format!("{mount}{group}/{file}"))?));
            least = limits.chain(least).min();
        }
    }
    least
}

/// The group itself, its parents and the root, which is empty.
#[cfg(any(target_os = "linux", test))]
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let own = path.trim_end_matches('/');
    std::iter::successors(Some(own), |group| group.rfind('/').map(|slash| &group[..slash]))
}

/// A limit as the file has it. Version 1 writes a number near 2^63 for none, version 2 `max`.
#[cfg(any(target_os = "linux", test))]
fn limit_of(text: &str) -> Option<u64> {
    const NONE: u64 = 1 << 60;
    text.trim().parse().ok().filter(|limit| (1..NONE).contains(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        cgroup_limit(groups, |path| files.iter().find(|(name, _)| *name == path).map(|(_, text)| format!("{text}\n")))
    }

    #[test]
    fn the_least_limit_of_all_groups_counts() {
        let own = ("/sys/fs/cgroup/a/b/memory.max", "300");
        let parent = ("/sys/fs/cgroup/a/memory.max", "200");
        for (files, expected) in [
            (&[own][..], Some(300)),
            (&[own, parent], Some(200)),
            (&[("/sys/fs/cgroup/a/b/memory.max", "max"), parent], Some(200)),
            (&[own, ("/sys/fs/cgroup/memory.max", "100")], Some(100)),
            (&[("/sys/fs/cgroup/a/b/memory.max", "max")], None),
            (&[], None),
        ] {
            assert_eq!(limit("0::/a/b\n", files), expected, "{files:?}");
        }
        // What a container with a namespace of its own sees.
        assert_eq!(limit("0::/\n", &[("/sys/fs/cgroup/memory.max", "100")]), Some(100));
    }

    #[test]
    fn version_1_has_another_place_and_a_huge_number_for_none() {
        let groups = "9:name=systemd:/\n4:memory,hugetlb:/docker/x\n1:cpu:/\n0::/\n";
        let own = "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes";
        assert_eq!(limit(groups, &[(own, "268435456")]), Some(268_435_456));
        assert_eq!(limit(groups, &[(own, "9223372036854771712")]), None);
        // Where only the container's own group is mounted.
        assert_eq!(limit(groups, &[("/sys/fs/cgroup/memory/memory.limit_in_bytes", "7")]), Some(7));
        assert_eq!(limit("5:cpu:/x\n", &[("/sys/fs/cgroup/memory/memory.limit_in_bytes", "7")]), None);
    }

    #[test]
    fn something_is_found_here() {
        let memory = found();
        assert_eq!(memory.bytes.is_some(), cfg!(target_os = "linux"));
        assert_ne!(memory.source, Source::Stated);
    }
}
