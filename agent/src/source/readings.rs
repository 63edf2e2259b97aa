//! The sources' counters under their names as metrics.

use std::sync::Arc;

use super::Counters;
use crate::telemetry::metrics::{Kind, Reading};

type Row = (&'static str, &'static str, fn(&Counters) -> u64);

const COUNTERS: &[Row] = &[
    ("source_file_bytes_total", "Bytes read from files.", |c| {
        c.file_bytes.get()
    }),
    (
        "source_file_bytes_skipped_total",
        "Bytes before the tail or the backlog's bound, left out at a first start.",
        |c| c.file_bytes_skipped.get(),
    ),
    (
        "source_file_bytes_decompressed_total",
        "Bytes read from compressed files.",
        |c| c.file_bytes_decompressed.get(),
    ),
    (
        "files_remainders_total",
        "Rotated files read on from where they were left before a restart.",
        |c| c.files_remainders.get(),
    ),
    (
        "source_docker_bytes_total",
        "Bytes read from the Docker engine.",
        |c| c.docker_bytes.get(),
    ),
    (
        "source_docker_records_total",
        "Frames read from the Docker engine.",
        |c| c.docker_records.get(),
    ),
    (
        "source_stdin_bytes_total",
        "Bytes read from standard input.",
        |c| c.stdin_bytes.get(),
    ),
    (
        "files_renamed_total",
        "Files that were renamed away or whose name came to mean another file.",
        |c| c.rotated_renamed.get(),
    ),
    (
        "files_truncated_total",
        "Files that were emptied or written anew in place.",
        |c| c.rotated_truncated.get(),
    ),
    ("files_deleted_total", "Files that were deleted.", |c| {
        c.rotated_deleted.get()
    }),
    (
        "files_vanished_total",
        "Files that were gone before their end was read.",
        |c| c.files_vanished.get(),
    ),
    (
        "files_compressed_total",
        "Matches that were skipped as compressed.",
        |c| c.files_compressed.get(),
    ),
    (
        "files_not_regular_total",
        "Matches that are no regular file.",
        |c| c.files_not_regular.get(),
    ),
    (
        "file_errors_total",
        "Opens and reads of files that failed.",
        |c| c.file_errors.get(),
    ),
    (
        "inotify_overflows_total",
        "Overflows of the kernel's queue of file events, each answered by a full rescan.",
        |c| c.inotify_overflows.get(),
    ),
    (
        "inotify_refused_total",
        "Watches that the kernel refused; the rescan stands in for them.",
        |c| c.inotify_refused.get(),
    ),
    ("rescans_total", "Looks through all globs.", |c| {
        c.rescans.get()
    }),
    (
        "docker_reconnects_total",
        "Times the Docker engine was lost and found again.",
        |c| c.docker_reconnects.get(),
    ),
    (
        "docker_repeats_skipped_total",
        "Frames that came again after a reconnect and were skipped.",
        |c| c.docker_repeats_skipped.get(),
    ),
    (
        "docker_unreadable_drivers_total",
        "Containers whose log driver the API cannot read.",
        |c| c.docker_unreadable_driver.get(),
    ),
    (
        "kubernetes_events_total",
        "Changes of this node's pods that the cluster has told, bookmarks included.",
        |c| c.kubernetes_events.get(),
    ),
    (
        "kubernetes_lists_total",
        "Lists of all pods of this node that were asked for.",
        |c| c.kubernetes_lists.get(),
    ),
    (
        "kubernetes_failures_total",
        "Lists and watches of pods that failed.",
        |c| c.kubernetes_failures.get(),
    ),
    (
        "kubernetes_pods_left_out_total",
        "Pods for which there was no room.",
        |c| c.kubernetes_left_out.get(),
    ),
    (
        "switches_refused_total",
        "Annotations and labels that say how to read a container and are not understood.",
        |c| c.switches_refused.get(),
    ),
];

const GAUGES: &[Row] = &[
    ("files_followed", "Files that are followed now.", |c| {
        c.files_known.get()
    }),
    (
        "files_open",
        "Descriptors of followed files that are open now.",
        |c| c.files_open.get(),
    ),
    (
        "files_unreadable",
        "Files that match but cannot be read now.",
        |c| c.files_unreadable.get(),
    ),
    (
        "docker_up",
        "1 while the Docker engine answers, else 0.",
        |c| c.docker_up.get(),
    ),
    (
        "docker_containers_followed",
        "Containers that are followed through the Docker engine now.",
        |c| c.docker_containers.get(),
    ),
    (
        "kubernetes_up",
        "1 while the cluster tells of this node's pods, else 0.",
        |c| c.kubernetes_up.get(),
    ),
    (
        "kubernetes_pods",
        "Pods of this node that are known, those that have just gone included.",
        |c| c.kubernetes_pods.get(),
    ),
];

/// What telemetry is to ask whenever it is asked.
#[must_use]
pub fn readings(counters: &Arc<Counters>) -> Vec<Reading> {
    let rows = COUNTERS
        .iter()
        .map(|row| (row, Kind::Counter))
        .chain(GAUGES.iter().map(|row| (row, Kind::Gauge)));
    rows.map(|((name, help, read), kind)| {
        let (counters, read) = (Arc::clone(counters), *read);
        Reading {
            name,
            help,
            kind,
            read: Box::new(move || read(&counters)),
        }
    })
    .collect()
}
