//! What is known of this node's pods beside the paths of their logs: labels, owner, images, switches. Filled by whoever
//! watches the cluster, read whenever a stream is opened or something has changed; nobody waits for it.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use super::origin::{K8s, Origin, Owner};

/// A pod, as far as its streams are told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid in the API.
    pub uid: String,
    /// The uid in the paths of its logs, where that is another one: the kubelet's own of a static pod.
    pub path_uid: Option<String>,
    /// Those labels that the configuration lets through, sorted by key.
    pub labels: Vec<(String, String)>,
    /// Its annotations that are switches, sorted by key.
    pub switches: Vec<(String, String)>,
    /// Who made it.
    pub owner: Option<Owner>,
    /// Name and image of each of its containers.
    pub images: Vec<(String, String)>,
}

/// A pod that is known.
#[derive(Debug)]
struct Known {
    pod: Arc<Pod>,
    /// When it was found to be gone; its last lines may still come.
    gone: Option<Instant>,
}

#[derive(Debug, Default)]
struct Book {
    pods: HashMap<String, Known>,
    /// Uids in paths that are not those of the API.
    by_path: HashMap<String, String>,
    by_name: HashMap<(String, String), String>,
}

impl Book {
    /// Forgets the pod that has been gone for longest. False where none is gone.
    fn make_room(&mut self) -> bool {
        let gone = self
            .pods
            .iter()
            .filter_map(|(uid, known)| Some((known.gone?, uid.clone())));
        match gone.min() {
            Some((_, uid)) => self.pods.remove(&uid).is_some(),
            None => false,
        }
    }
}

#[derive(Debug)]
struct Inner {
    book: Mutex<Book>,
    listed: Condvar,
    /// The first list has come, or none is to be waited for.
    is_listed: AtomicBool,
    changes: AtomicU64,
    /// Readable after a change.
    bell: OwnedFd,
    max: usize,
    keep: Duration,
}

/// The pods of this node; cheap to clone.
#[derive(Clone, Debug)]
pub struct Pods {
    inner: Arc<Inner>,
}

impl Pods {
    /// A book without pods, of at most `max`, that keeps those that are gone for `keep`.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn new(max: usize, keep: Duration) -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            inner: Arc::new(Inner {
                book: Mutex::default(),
                listed: Condvar::new(),
                is_listed: AtomicBool::new(false),
                changes: AtomicU64::new(0),
                bell,
                max,
                keep,
            }),
        })
    }

    /// Takes up a pod, new or changed. False where there is no room for another one.
    pub fn put(&self, pod: Pod) -> bool {
        let mut book = self.lock();
        let before = book.pods.get(&pod.uid);
        let is_same = before.is_some_and(|known| *known.pod == pod);
        if before.is_none() && book.pods.len() >= self.inner.max && !book.make_room() {
            return false;
        }
        if let Some(path_uid) = &pod.path_uid {
            book.by_path.insert(path_uid.clone(), pod.uid.clone());
        }
        let name = (pod.namespace.clone(), pod.name.clone());
        book.by_name.insert(name, pod.uid.clone());
        let known = Known {
            pod: Arc::new(pod),
            gone: None,
        };
        book.pods.insert(known.pod.uid.clone(), known);
        drop(book);
        if !is_same {
            self.ring();
        }
        true
    }

    /// A pod is gone from the cluster.
    pub fn gone(&self, uid: &str) {
        if let Some(known) = self.lock().pods.get_mut(uid) {
            known.gone.get_or_insert_with(Instant::now);
        }
    }

    /// All pods are among those with these uids; the others are gone. Ends the waiting for the first list.
    pub fn listed(&self, is_there: impl Fn(&str) -> bool) {
        for (uid, known) in &mut self.lock().pods {
            if !is_there(uid) {
                known.gone.get_or_insert_with(Instant::now);
            }
        }
        self.wait_no_more();
    }

    /// There will be no first list for now.
    pub fn wait_no_more(&self) {
        // Set under the lock, so that a sleeper cannot check first and sleep after the wake-up.
        let book = self.lock();
        self.inner.is_listed.store(true, Ordering::Release);
        drop(book);
        self.inner.listed.notify_all();
    }

    /// Waits for the first list, at most so long.
    pub(super) fn wait(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut book = self.lock();
        while !self.inner.is_listed.load(Ordering::Acquire) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.inner.listed.wait_timeout(book, left);
            book = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Forgets the pods that have been gone for long enough. Gives how many are known.
    pub fn tidy(&self) -> usize {
        let mut book = self.lock();
        let keep = self.inner.keep;
        let is_over = |known: &Known| known.gone.is_some_and(|gone| gone.elapsed() >= keep);
        book.pods.retain(|_, known| !is_over(known));
        let Book {
            pods,
            by_path,
            by_name,
        } = &mut *book;
        by_path.retain(|_, uid| pods.contains_key(uid));
        by_name.retain(|_, uid| pods.contains_key(uid));
        pods.len()
    }

    /// The pod that a path speaks of.
    #[must_use]
    pub fn find(&self, k8s: &K8s) -> Option<Arc<Pod>> {
        let book = self.lock();
        let known = if k8s.uid.is_empty() {
            // A link in /var/log/containers tells no uid.
            let name = (k8s.namespace.clone(), k8s.pod.clone());
            book.pods.get(book.by_name.get(&name)?)?
        } else {
            let uid = book.by_path.get(&k8s.uid).unwrap_or(&k8s.uid);
            book.pods.get(uid)?
        };
        Some(Arc::clone(&known.pod))
    }

    /// Adds to `origin` what is known of its pod, and gives that. Where nothing is known, what was known before stays.
    pub(super) fn describe(&self, origin: &mut Origin) -> Option<Arc<Pod>> {
        let k8s = origin.k8s.as_mut()?;
        let pod = self.find(k8s)?;
        k8s.labels.clone_from(&pod.labels);
        k8s.owner.clone_from(&pod.owner);
        let image = pod.images.iter().find(|(name, _)| *name == k8s.container);
        if let Some((_, image)) = image {
            let container = origin.container.get_or_insert_default();
            container.image.clone_from(image);
            if container.name.is_empty() {
                container.name.clone_from(&k8s.container);
            }
        }
        Some(pod)
    }

    /// How often something has changed.
    pub(super) fn changes(&self) -> u64 {
        self.inner.changes.load(Ordering::Acquire)
    }

    /// Readable after a change, until [`quiet`](Self::quiet).
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.inner.bell.as_fd()
    }

    /// The change was noticed.
    pub(super) fn quiet(&self) {
        // Nothing to read means that nothing has rung.
        let _ = rustix::io::read(&self.inner.bell, &mut [0; 8]);
    }

    fn ring(&self) {
        self.inner.changes.fetch_add(1, Ordering::AcqRel);
        // Fails only where 2^64 - 2 changes were not noticed.
        let _ = rustix::io::write(&self.inner.bell, &1u64.to_ne_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.inner
            .book
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Kind;

    fn pod(uid: &str, label: &str) -> Pod {
        Pod {
            namespace: "shop".into(),
            name: format!("web-{uid}"),
            uid: uid.into(),
            labels: vec![("app".into(), label.into())],
            images: vec![("server".into(), "shop/server:3".into())],
            ..Pod::default()
        }
    }

    fn origin(uid: &str) -> Origin {
        let mut origin = Origin::plain(Kind::File, "/var/log/pods/x");
        origin.k8s = Some(K8s {
            namespace: "shop".into(),
            pod: format!("web-{uid}"),
            uid: uid.into(),
            container: "server".into(),
            ..K8s::default()
        });
        origin
    }

    #[test]
    fn a_pod_that_is_gone_is_known_for_a_while() {
        let pods = Pods::new(10, Duration::from_secs(600)).unwrap();
        assert!(pods.put(pod("a", "one")));
        pods.gone("a");
        assert_eq!(pods.tidy(), 1);
        let mut last = origin("a");
        assert!(pods.describe(&mut last).is_some());
        assert_eq!(last.container.unwrap().image, "shop/server:3");
        assert_eq!(last.k8s.unwrap().labels, [("app".into(), "one".into())]);

        let pods = Pods::new(10, Duration::ZERO).unwrap();
        assert!(pods.put(pod("a", "one")) && pods.put(pod("b", "one")));
        pods.listed(|uid| uid == "b");
        assert_eq!(pods.tidy(), 1);
        assert!(pods.describe(&mut origin("a")).is_none());
        assert!(pods.describe(&mut origin("b")).is_some());
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let pods = Pods::new(1, Duration::from_secs(600)).unwrap();
        assert!(pods.put(pod("a", "one")));
        assert!(pods.put(pod("a", "one")));
        assert_eq!(pods.changes(), 1);
        assert!(pods.put(pod("a", "two")));
        assert_eq!(pods.changes(), 2);
        assert!(!pods.put(pod("b", "one")), "there is room for one");
        pods.gone("a");
        assert!(pods.put(pod("b", "one")), "what is gone makes room");
        assert!(pods.find(origin("a").k8s.as_ref().unwrap()).is_none());
    }

    #[test]
    fn a_static_pod_goes_by_the_kubelets_uid_and_a_link_by_the_name() {
        let pods = Pods::new(10, Duration::from_secs(600)).unwrap();
        let mut mirror = pod("a", "one");
        mirror.path_uid = Some("0123".into());
        pods.put(mirror);
        assert!(pods.describe(&mut origin("0123")).is_some());
        let mut link = origin("a");
        if let Some(k8s) = &mut link.k8s {
            k8s.uid.clear();
        }
        assert!(pods.describe(&mut link).is_some());
        assert!(pods.describe(&mut origin("other")).is_none());
    }

    #[test]
    fn who_waits_for_the_list_waits_no_longer_than_told() {
        let pods = Pods::new(10, Duration::ZERO).unwrap();
        pods.wait(Duration::from_millis(1));
        pods.wait_no_more();
        pods.wait(Duration::from_secs(3600));
    }
}
