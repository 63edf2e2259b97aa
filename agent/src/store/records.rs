//! Between what the flow calls a stream and a cursor and what is written of them.

use std::sync::Arc;

use super::block::{stage_number, stage_of};
use super::tables::{
    ContainerRecord, CursorRecord, K8sRecord, PlaceRecord, PodRecord, StreamRecord, VectorRecord,
    VerdictRecord, from_bytes, from_bytes_and_rest, to_bytes,
};
use crate::classify::{Embedding, Judgement};
use crate::flow::{Cursor, Place, StreamInfo, Tally};
use crate::source::files::{Identity, Marker};
use crate::source::{Closed, Container, K8s, Kind, Origin, Owner, Switches, docker};

/// The kinds of sources, by the number that stands for them in the file.
const KINDS: [Kind; 7] = [
    Kind::File,
    Kind::Docker,
    Kind::Stdin,
    Kind::Demo,
    Kind::Forward,
    Kind::Http,
    Kind::Otlp,
];
/// The ends of streams, by the number that stands for them in the file.
const ENDS: [Closed; 8] = [
    Closed::End,
    Closed::Rotated,
    Closed::Truncated,
    Closed::Deleted,
    Closed::Vanished,
    Closed::Failed,
    Closed::Renamed,
    Closed::ContainerGone,
];

impl From<&StreamInfo> for StreamRecord {
    fn from(info: &StreamInfo) -> Self {
        let origin = &info.origin;
        Self {
            id: info.id.clone(),
            kind: position(&KINDS, &origin.kind),
            name: origin.name.clone(),
            container: origin.container.as_ref().map(|container| ContainerRecord {
                id: container.id.clone(),
                name: container.name.clone(),
                image: container.image.clone(),
                labels: container.labels.clone(),
            }),
            k8s: origin.k8s.as_ref().map(|k8s| K8sRecord {
                namespace: k8s.namespace.clone(),
                pod: k8s.pod.clone(),
                uid: k8s.uid.clone(),
                container: k8s.container.clone(),
                restart: k8s.restart,
            }),
        }
    }
}

/// What is written of a stream.
pub(super) fn stream_bytes(info: &StreamInfo) -> Vec<u8> {
    let mut bytes = to_bytes(&StreamRecord::from(info));
    if let Some(k8s) = &info.origin.k8s
        && (k8s.owner.is_some() || !k8s.labels.is_empty())
    {
        let owner = k8s.owner.as_ref();
        bytes.extend(to_bytes(&PodRecord {
            labels: k8s.labels.clone(),
            owner: owner.map(|owner| (owner.kind.clone(), owner.name.clone())),
        }));
    }
    bytes
}

/// The stream that was written as `bytes`; none where they are damaged.
pub(super) fn stream_of(bytes: &[u8]) -> Option<StreamInfo> {
    let (record, rest) = from_bytes_and_rest::<StreamRecord>(bytes)?;
    let mut info = record.into_info()?;
    if !rest.is_empty()
        && let Some(pod) = from_bytes::<PodRecord>(rest)
        && let Some(k8s) = &mut Arc::make_mut(&mut info.origin).k8s
    {
        k8s.labels = pod.labels;
        k8s.owner = pod.owner.map(|(kind, name)| Owner { kind, name });
    }
    Some(info)
}

impl StreamRecord {
    /// The stream, unless the record speaks of a kind that there is not.
    fn into_info(self) -> Option<StreamInfo> {
        let origin = Origin {
            kind: *KINDS.get(usize::from(self.kind))?,
            name: self.name,
            switches: Switches::default(),
            container: self.container.map(|container| Container {
                id: container.id,
                name: container.name,
                image: container.image,
                labels: container.labels,
            }),
            k8s: self.k8s.map(|k8s| K8s {
                namespace: k8s.namespace,
                pod: k8s.pod,
                uid: k8s.uid,
                container: k8s.container,
                restart: k8s.restart,
                ..K8s::default()
            }),
        };
        Some(StreamInfo {
            id: self.id,
            origin: Arc::new(origin),
        })
    }
}

/// What is written of `cursor` at the time `now`.
pub(super) fn cursor_record(cursor: &Cursor, now: i64) -> CursorRecord {
    let marker = |marker: Marker| (marker.length, marker.hash);
    CursorRecord {
        place: match cursor.place {
            Place::File { file, offset, seam } => PlaceRecord::File {
                device: file.device,
                inode: file.inode,
                marker: marker(file.marker),
                offset,
                seam: seam.map(marker),
            },
            Place::Docker(at) => {
                PlaceRecord::Docker(at.latest_ns, at.last_ns, at.last_hash, at.repeats)
            }
            Place::Passing => PlaceRecord::Passing,
        },
        open: cursor.open.clone(),
        open_lines: cursor.open_lines,
        ended: cursor.ended.map(|why| position(&ENDS, &why)),
        written: now,
    }
}

/// The cursor of `stream` that a record tells of.
pub(super) fn cursor_of(record: CursorRecord, stream: &Arc<StreamInfo>) -> Option<Cursor> {
    let marker = |(length, hash): (u16, u64)| Marker { length, hash };
    Some(Cursor {
        stream: Arc::clone(stream),
        place: match record.place {
            PlaceRecord::File {
                device,
                inode,
                marker: head,
                offset,
                seam,
            } => Place::File {
                file: Identity {
                    device,
                    inode,
                    marker: marker(head),
                },
                offset,
                seam: seam.map(marker),
            },
            PlaceRecord::Docker(latest_ns, last_ns, last_hash, repeats) => {
                Place::Docker(docker::Position {
                    latest_ns,
                    last_ns,
                    last_hash,
                    repeats,
                })
            }
            PlaceRecord::Passing => Place::Passing,
        },
        open: record.open,
        open_lines: record.open_lines,
        ended: match record.ended {
            Some(why) => Some(*ENDS.get(usize::from(why))?),
            None => None,
        },
        kept_at: Some(record.written),
        tally: Tally::default(),
    })
}

/// The number that stands for `item`: all of them are in the list.
fn position<T: PartialEq>(list: &[T], item: &T) -> u8 {
    list.iter()
        .zip(0_u8..)
        .find(|(known, _)| *known == item)
        .map_or(u8::MAX, |(_, number)| number)
}

impl From<&Judgement> for VerdictRecord {
    fn from(judged: &Judgement) -> Self {
        Self {
            category: judged.category.clone(),
            stage: stage_number(judged.stage),
            confidence: judged.confidence,
            reason: judged.reason.clone(),
            version: judged.version.clone(),
            asked: judged.asked.clone(),
        }
    }
}

impl VerdictRecord {
    /// The verdict, unless the record speaks of a stage that there is not.
    pub(super) fn into_judgement(self) -> Option<Judgement> {
        Some(Judgement {
            category: self.category,
            stage: stage_of(self.stage)?,
            confidence: self.confidence,
            reason: self.reason,
            version: self.version,
            asked: self.asked,
        })
    }
}

impl From<&Embedding> for VectorRecord {
    fn from(embedding: &Embedding) -> Self {
        Self {
            version: embedding.version.clone(),
            scale: embedding.vector.scale,
            codes: embedding.vector.codes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(owner: Option<Owner>, labels: &[(&str, &str)]) -> StreamInfo {
        let mut origin = Origin::plain(Kind::File, "/var/log/pods/shop_web_1/server/0.log");
        origin.container = Some(Container::default());
        origin.k8s = Some(K8s {
            namespace: "shop".into(),
            pod: "web".into(),
            uid: "1".into(),
            container: "server".into(),
            restart: Some(0),
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
            owner,
        });
        StreamInfo {
            id: "1-2-3".into(),
            origin: Arc::new(origin),
        }
    }

    #[test]
    fn a_stream_is_read_as_it_was_written() {
        let owner = Owner {
            kind: "Deployment".into(),
            name: "web".into(),
        };
        for info in [
            info(None, &[]),
            info(Some(owner.clone()), &[]),
            info(Some(owner), &[("app", "web"), ("tier", "")]),
        ] {
            assert_eq!(stream_of(&stream_bytes(&info)).as_ref(), Some(&info));
        }
    }

    #[test]
    fn streams_of_stores_without_owners_are_read() {
        let before = info(None, &[]);
        let bytes = to_bytes(&StreamRecord::from(&before));
        assert_eq!(stream_of(&bytes), Some(before));
        assert_eq!(stream_of(&bytes[..bytes.len() - 1]), None, "damaged");
    }
}
