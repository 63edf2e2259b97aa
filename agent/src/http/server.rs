//! The listener's thread: connections in, each served within bounds, and a drain that ends them.

use std::io::{self, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, warn};

use super::Api;
use super::guard::Client;
use super::patient::Patient;

/// A request's head must come within this time; so must the next one on the same connection.
const HEAD: Duration = Duration::from_secs(30);
/// Who takes nothing of what is sent for so long is cut off.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is being answered at a stop may take so long.
const DRAIN: Duration = Duration::from_secs(4);
/// Threads for what reads the store or asks the model.
const WORKERS: usize = 8;
/// After the system refused a connection (no descriptors are left).
const AGAIN: Duration = Duration::from_millis(200);

/// What is said to a connection too many; there is no room to ask it for its request.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 165\r\n\r\n{\"error\":{\"code\":\"busy\",\"message\":\"too many connections\",\"hint\":\"close connections that are not used, or raise api.max_connections\"},\"detail\":\"too many connections\"}";

/// Serves `pages` on `listener` until the API's shutdown is triggered, and then ends what is open.
///
/// # Errors
/// Where the thread or its runtime cannot be started.
pub fn spawn(listener: TcpListener, api: Api, pages: Router) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(WORKERS)
        .thread_name("http-work")
        .build()?;
    std::thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            if let Err(problem) = runtime.block_on(serve(listener, &api, pages)) {
                warn!(%problem, "the API's listener has ended; the flow goes on");
            }
            // What still reads the store is of no use to anybody.
            runtime.shutdown_background();
        })
}

async fn serve(listener: TcpListener, api: &Api, pages: Router) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let bound = u32::try_from(api.options().max_connections).unwrap_or(u32::MAX >> 4);
    let places = Arc::new(Semaphore::new(bound as usize));
    let service = TowerToHyperService::new(pages);
    loop {
        let accepted = tokio::select! {
            () = api.shutdown().triggered() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(problem) => {
                debug!(%problem, "a connection could not be taken");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            refuse(stream);
            continue;
        };
        // Small answers and single events are to go out at once.
        let _ = stream.set_nodelay(true);
        tokio::spawn(connection(
            stream,
            Client(from),
            service.clone(),
            api.clone(),
            place,
        ));
    }
    drop(listener);
    // The last place is free when the last connection has ended.
    let _ = tokio::time::timeout(DRAIN, places.acquire_many(bound)).await;
    Ok(())
}

async fn connection(
    stream: TcpStream,
    client: Client,
    service: TowerToHyperService<Router>,
    api: Api,
    place: OwnedSemaphorePermit,
) {
    // Held by what the connection becomes, too: a live stream outlives the protocol that it began with.
    let place = Arc::new(place);
    let answer = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(Arc::clone(&place));
        service.call(request)
    });
    let io = TokioIo::new(Patient::new(stream, PATIENCE));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(64 * 1024)
        .serve_connection(io, answer)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = api.shutdown().triggered() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(problem) = ended {
        debug!(%problem, "a connection has ended");
    }
}

/// As much as the system takes at once; nobody waits for it.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(FULL);
    }
}

#[cfg(test)]
mod tests {
    use super::FULL;

    #[test]
    fn the_fixed_answer_is_as_long_as_it_says() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{} bytes",
            body.len()
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "busy");
    }
}
