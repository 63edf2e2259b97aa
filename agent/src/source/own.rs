//! Which container and pod the agent itself runs in, so that it never reads what it writes.

use std::path::Path;

/// The agent's own container and pod; empty where it runs outside of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    containers: Vec<String>,
    pods: Vec<String>,
}

impl Own {
    /// Reads `/proc/self/mountinfo`, `/proc/self/cgroup` and the host name: container runtimes and the kubelet leave
    /// their ids there. What cannot be read is taken as empty.
    #[must_use]
    pub fn detect() -> Self {
        let read = |path: &str| std::fs::read(path).unwrap_or_default();
        Self::from_system(
            &String::from_utf8_lossy(&read("/proc/self/mountinfo")),
            &String::from_utf8_lossy(&read("/proc/self/cgroup")),
            String::from_utf8_lossy(&read("/etc/hostname")).trim(),
            // The kernel's cgroup names are the host's business too: only a process in a container takes them for its own.
            Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists(),
        )
    }

    /// The same from given texts. `hostname` and cgroup names count only where `in_container`.
    #[must_use]
    pub fn from_system(mountinfo: &str, cgroup: &str, hostname: &str, in_container: bool) -> Self {
        let mut own = Self::default();
        for line in mountinfo.lines() {
            // Fields: id, parent, device, root, mount point, ...: the runtime mounts its own /etc/hosts and the like.
            let mut fields = line.split(' ').skip(3);
            let (Some(root), Some(point)) = (fields.next(), fields.next()) else {
                continue;
            };
            if !matches!(
                point,
                "/etc/hosts" | "/etc/hostname" | "/etc/resolv.conf" | "/dev/termination-log"
            ) {
                continue;
            }
            let mut before = "";
            for part in root.split('/') {
                match before {
                    "containers" | "sandboxes" if is_id(part) => own.add_container(part),
                    "pods" if part.len() >= 32 => own.pods.push(part.to_owned()),
                    _ => {}
                }
                before = part;
            }
        }
        if in_container {
            for part in cgroup.split(['/', ':', '\n', '-', '.']) {
                if is_id(part) {
                    own.add_container(part);
                }
            }
            if hostname.len() == 12 && hostname.bytes().all(|b| b.is_ascii_hexdigit()) {
                own.add_container(hostname);
            }
        }
        own.pods.dedup();
        own
    }

    fn add_container(&mut self, id: &str) {
        if !self.containers.iter().any(|known| known == id) {
            self.containers.push(id.to_owned());
        }
    }

    /// Whether this full container id is the agent's own.
    #[must_use]
    pub fn is_container(&self, id: &str) -> bool {
        !id.is_empty()
            && self
                .containers
                .iter()
                .any(|own| id.starts_with(own.as_str()))
    }

    /// Whether this pod uid is the agent's own.
    #[must_use]
    pub fn is_pod(&self, uid: &str) -> bool {
        self.pods.iter().any(|own| own == uid)
    }
}

/// Whether this is a full container id.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f1c0de9ab4f1c0de9ab4f1c0de9ab4f1c0de9ab4f1c0de9ab4f1c0de9ab0123";

    #[test]
    fn finds_itself_in_docker() {
        let mounts = format!(
            "600 500 8:1 /var/lib/docker/containers/{ID}/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
        );
        let own = Own::from_system(&mounts, "0::/\n", "4f1c0de9ab4f", true);
        assert!(own.is_container(ID));
        assert!(!own.is_container(&ID.replace('4', "5")));
        assert!(!own.is_container(""));
    }

    #[test]
    fn finds_itself_in_a_pod() {
        let uid = "0a1b2c3d-1111-2222-3333-0123456789ab";
        let mounts = format!(
            "1 2 8:1 /var/lib/kubelet/pods/{uid}/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
        );
        let own = Own::from_system(&mounts, "", "node-1", false);
        assert!(own.is_pod(uid));
        assert!(!own.is_pod("0a1b2c3d-1111-2222-3333-0123456789ac"));
    }

    #[test]
    fn a_mount_of_all_containers_logs_is_not_itself() {
        let mounts = format!(
            "1 2 8:1 /var/lib/docker/containers/{ID} /logs rw - ext4 /dev/sda1 rw\nshort\n"
        );
        assert_eq!(
            Own::from_system(&mounts, "0::/x", "4f1c0de9ab4f", false),
            Own::default()
        );
    }
}
