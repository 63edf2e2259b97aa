//! The sources' counters as metrics. The sources keep plain numbers and know nothing of Prometheus.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounter, IntGauge, Registry};

use crate::source::Counters;

type Read = fn(&Counters) -> u64;

const COUNTERS: &[(&str, &str, Read)] = &[
    ("source_file_bytes_total", "Bytes read from files.", |c| c.file_bytes.get()),
    ("source_docker_bytes_total", "Bytes read from the Docker engine.", |c| c.docker_bytes.get()),
    ("source_docker_records_total", "Frames read from the Docker engine.", |c| c.docker_records.get()),
    ("source_stdin_bytes_total", "Bytes read from standard input.", |c| c.stdin_bytes.get()),
    ("files_renamed_total", "Files that were renamed away or whose name came to mean another file.", |c| c.rotated_renamed.get()),
    ("files_truncated_total", "Files that were emptied or written anew in place.", |c| c.rotated_truncated.get()),
    ("files_deleted_total", "Files that were deleted.", |c| c.rotated_deleted.get()),
    ("files_vanished_total", "Files that were gone before their end was read.", |c| c.files_vanished.get()),
    ("files_compressed_total", "Matches that were skipped as compressed.", |c| c.files_compressed.get()),
    ("files_not_regular_total", "Matches that are no regular file.", |c| c.files_not_regular.get()),
    ("file_errors_total", "Opens and reads of files that failed.", |c| c.file_errors.get()),
    ("inotify_overflows_total", "Overflows of the kernel's queue of file events, each answered by a full rescan.", |c| c.inotify_overflows.get()),
    ("inotify_refused_total", "Watches that the kernel refused; the rescan stands in for them.", |c| c.inotify_refused.get()),
    ("rescans_total", "Looks through all globs.", |c| c.rescans.get()),
    ("docker_reconnects_total", "Times the Docker engine was lost and found again.", |c| c.docker_reconnects.get()),
    ("docker_repeats_skipped_total", "Frames that came again after a reconnect and were skipped.", |c| c.docker_repeats_skipped.get()),
    ("docker_unreadable_drivers_total", "Containers whose log driver the API cannot read.", |c| c.docker_unreadable_driver.get()),
];

const GAUGES: &[(&str, &str, Read)] = &[
    ("files_followed", "Files that are followed now.", |c| c.files_known.get()),
    ("files_open", "Descriptors of followed files that are open now.", |c| c.files_open.get()),
    ("files_unreadable", "Files that match but cannot be read now.", |c| c.files_unreadable.get()),
    ("docker_containers_followed", "Containers that are followed through the Docker engine now.", |c| c.docker_containers.get()),
];

/// Copies the sources' counters into metrics whenever they are asked for.
pub(super) struct SourceMetrics {
    counters: Arc<Counters>,
    totals: Mutex<Vec<(Read, IntCounter)>>,
    gauges: Vec<(Read, IntGauge)>,
}

impl SourceMetrics {
    pub(super) fn register(registry: &Registry, counters: Arc<Counters>) -> prometheus::Result<Self> {
        let mut totals = Vec::with_capacity(COUNTERS.len());
        for (name, help, read) in COUNTERS {
            let counter = IntCounter::new(*name, *help)?;
            registry.register(Box::new(counter.clone()))?;
            totals.push((*read, counter));
        }
        let mut gauges = Vec::with_capacity(GAUGES.len());
        for (name, help, read) in GAUGES {
            let gauge = IntGauge::new(*name, *help)?;
            registry.register(Box::new(gauge.clone()))?;
            gauges.push((*read, gauge));
        }
        Ok(Self { counters, totals: Mutex::new(totals), gauges })
    }

    /// Brings the metrics up to date. The lock keeps two scrapes from adding the same growth twice.
    pub(super) fn refresh(&self) {
        for (read, counter) in self.totals.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            counter.inc_by(read(&self.counters).saturating_sub(counter.get()));
        }
        for (read, gauge) in &self.gauges {
            gauge.set(i64::try_from(read(&self.counters)).unwrap_or(i64::MAX));
        }
    }
}
