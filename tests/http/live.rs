//! Live streams, with clients that others wrote (WebSocket) or that know nothing but bytes (server-sent events).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tungstenite::{Message, WebSocket};

use super::{LINES, agent, append, get, id_of, sent};
use crate::harness::{dir, until};

/// A client of the stream at `path`, and the status of the answer.
pub(super) fn websocket(port: u16, path: &str) -> (WebSocket<TcpStream>, u16) {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    let (socket, answer) =
        tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), socket).unwrap();
    (socket, answer.status().as_u16())
}

fn object(message: &Message) -> Value {
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

/// A stream of server-sent events at `path`, after its greeting.
fn events(port: u16, path: &str, header: &str) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"
    )
    .unwrap();
    let mut lines = BufReader::new(socket);
    let mut line = String::new();
    while !line.starts_with("retry: ") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "{path} ends");
        if line.starts_with("HTTP/1.1 ") {
            assert!(line.contains(" 200 "), "{line}");
        }
    }
    lines
}

/// The next `n` events of a stream.
fn next(lines: &mut BufReader<TcpStream>, n: usize) -> Vec<(u64, Value)> {
    let mut text = String::new();
    let mut seen = 0;
    while seen < n {
        let start = text.len();
        assert!(lines.read_line(&mut text).unwrap() > 0, "{text}");
        seen += usize::from(text[start..].starts_with("data: "));
    }
    sent(&text)
}

#[test]
fn every_watcher_sees_every_new_event_once_and_in_order() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    let (mut all, status) = websocket(agent.api, "/api/logs/stream");
    assert_eq!(status, 101);
    let (mut errors, _) = websocket(agent.api, "/api/logs/stream?level=error");
    let of_file = format!("/api/logs/stream?container_id={}", id_of(dir.path()));
    let (mut named, _) = websocket(agent.api, &of_file);
    let mut lines = events(agent.api, "/api/events", "");
    append(dir.path(), LINES..LINES + 300);
    // The file's last line may be open, so one less is waited for.
    let numbers = |found: &[Value]| -> Vec<u32> {
        let number = |event: &Value| {
            let line = event["line"].as_str().unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        found.iter().map(number).collect()
    };
    let take = |socket: &mut WebSocket<TcpStream>, n: usize| -> Vec<Value> {
        (0..n).map(|_| object(&socket.read().unwrap())).collect()
    };
    let seen = take(&mut all, 299);
    let first = numbers(&seen)[0];
    assert!(first <= LINES, "{first}");
    assert_eq!(numbers(&seen), (first..first + 299).collect::<Vec<_>>());
    assert_eq!(numbers(&take(&mut named, 299)), numbers(&seen));
    let bad = take(&mut errors, 99);
    assert!(bad.iter().all(|event| event["level"] == "error"), "{bad:?}");
    assert_eq!(
        seen[0]["container_id"],
        format!("{}/app.log", dir.path().display())
    );
    assert!(
        seen[0]["log"]
            .as_str()
            .unwrap()
            .starts_with("2026-03-01T10:")
    );
    let told = next(&mut lines, 299);
    let ids: Vec<u64> = told.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, (ids[0]..ids[0] + 299).collect::<Vec<_>>());
    let objects: Vec<Value> = told.into_iter().map(|(_, object)| object).collect();
    assert_eq!(numbers(&objects), numbers(&seen));
    agent.terminate();
}

#[test]
fn who_comes_back_gets_what_it_has_missed() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    // From the very beginning, in more than one piece.
    append(dir.path(), LINES..2_000);
    agent.wait_for(1_999, |_| true);
    let mut lines = events(agent.api, "/api/events", "Last-Event-ID: 99");
    let told = next(&mut lines, 1_500);
    let ids: Vec<u64> = told.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids[..1_500], (100..1_600).collect::<Vec<_>>()[..]);
    // Then it goes on with what comes.
    drop(lines);
    let path = format!("/api/events?level=error&last_event_id={}", ids[1_499]);
    let mut lines = events(agent.api, &path, "");
    append(dir.path(), 2_000..2_400);
    let told = next(&mut lines, 250);
    assert!(
        told.iter()
            .all(|(id, event)| *id > ids[1_499] && event["level"] == "error")
    );
    assert!(told.windows(2).all(|two| two[0].0 < two[1].0));
    // An id of another store is no reason to wait for ever.
    let mut lines = events(agent.api, "/api/events", "Last-Event-ID: 999999999");
    append(dir.path(), 2_400..2_410);
    assert!(!next(&mut lines, 5).is_empty());
    agent.terminate();
}

#[test]
fn a_container_that_is_not_there_is_told_over_the_socket() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    let (mut socket, _) = websocket(agent.api, "/api/logs/stream?container_id=nobody");
    let said = object(&socket.read().unwrap());
    assert_eq!(said["error"], "Container not found", "{said}");
    assert_eq!(said["container_id"], "nobody");
    assert!(socket.read().unwrap().is_close());
    agent.terminate();
}

/// Idle clients cost little; further ones are told that there is no room; and those who leave make room.
#[test]
fn five_hundred_idle_clients_cost_less_than_twenty_mebibytes() {
    let dir = dir();
    let agent = agent(dir.path(), "max_streams: 500");
    // What the first ones need once.
    let warm: Vec<_> = (0..4)
        .map(|_| websocket(agent.api, "/api/logs/stream"))
        .collect();
    let (before, _) = agent.resident_kib();
    let sockets: Vec<_> = (0..246)
        .map(|_| websocket(agent.api, "/api/logs/stream"))
        .collect();
    let streams: Vec<_> = (0..250)
        .map(|_| events(agent.api, "/api/events", ""))
        .collect();
    let (after, _) = agent.resident_kib();
    let kib = after.saturating_sub(before);
    println!("{} idle clients: {kib} KiB", sockets.len() + streams.len());
    assert!(kib < 20 * 1024, "{kib} KiB");
    super::refused(&get(&agent, "/api/events"), 503, "busy");
    drop((warm, sockets, streams));
    until(
        "room for another one",
        || {
            let (port, path) = (agent.api, "/api/events");
            let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
            write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
            let mut status = [0; 12];
            socket.read_exact(&mut status).ok()?;
            (&status == b"HTTP/1.1 200").then_some(())
        },
        || agent.log(),
    );
    agent.terminate();
}

/// One that stops reading is cut off, and nobody else notices.
#[test]
fn a_watcher_that_stops_reading_is_cut_off_and_holds_up_nobody() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    let (mut stuck, _) = websocket(agent.api, "/api/logs/stream");
    let mut slow = events(agent.api, "/api/events", "");
    // The system would take in tens of MiB for them.
    for socket in [stuck.get_ref(), slow.get_ref()] {
        rustix::net::sockopt::set_socket_recv_buffer_size(socket, 64 * 1024).unwrap();
    }
    let (mut reads, _) = websocket(agent.api, "/api/logs/stream?level=error");
    // Far more than all buffers on the way hold.
    let many = 30_000;
    append(dir.path(), LINES..LINES + many);
    let counted = || agent.metric("logsieve_events_total", &[]);
    until(
        "all events",
        || (counted() >= f64::from(LINES + many - 1)).then_some(()),
        || agent.log(),
    );
    // Whoever reads gets on.
    for _ in 0..1_000 {
        assert_eq!(object(&reads.read().unwrap())["level"], "error");
    }
    until(
        "both to be cut off",
        || (agent.log().matches("is cut off").count() >= 2).then_some(()),
        || agent.log(),
    );
    // The others find, once they read again, that their streams have ended before the last event.
    let mut seen = 0;
    while let Ok(Message::Text(_)) = stuck.read() {
        seen += 1;
    }
    assert!(seen < many, "{seen} events");
    let mut text = Vec::new();
    let _ = slow.read_to_end(&mut text);
    let told = text.windows(5).filter(|bytes| bytes == b"data:").count();
    assert!(told < many as usize, "{told} events");
    let events = agent.terminate();
    assert_eq!(events.len(), (LINES + many) as usize);
}
