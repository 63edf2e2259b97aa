//! `logsieve healthcheck`: asks the health page of the agent that runs with the same configuration, so that a container needs
//! no shell and no curl to be asked.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use super::{Failed, output};
use crate::config::{Checked, Listener};

/// At most so much of the page is read.
const PAGE_BYTES: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file that the agent runs with; without one the defaults
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A part that does not do its work is a failure too (by default only an agent that does not answer is one)
    #[arg(long)]
    strict: bool,
    /// How long the answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

/// What is read of the page.
#[derive(Debug, Deserialize)]
struct Page {
    status: String,
    uptime_s: u64,
    components: std::collections::BTreeMap<String, Component>,
}

#[derive(Debug, Deserialize)]
struct Component {
    ok: bool,
    detail: String,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Checked::load(arguments.config.as_deref())?;
    let Some(telemetry) = &config.telemetry else {
        let why = "telemetry.listen is empty, so there is no health page to ask";
        return Err(Failed(why.to_owned()).into());
    };
    let page = ask(&telemetry.listener, Duration::from_secs(arguments.timeout))?;
    let mut report = format!("{}, up for {} s\n", page.status, page.uptime_s);
    for (name, component) in &page.components {
        let mark = if component.ok { ' ' } else { '!' };
        let _ = writeln!(report, "{mark} {name}: {}", component.detail);
    }
    output::print(report.as_bytes())?;
    if arguments.strict && page.status != "ok" {
        return Err(Failed("not every part does its work".to_owned()).into());
    }
    Ok(())
}

fn ask(listener: &Listener, patience: Duration) -> anyhow::Result<Page> {
    let url = format!("http://{}/health", here(listener.listen));
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(patience))
        .build()
        .new_agent();
    let mut request = agent.get(&url);
    if let Some(token) = &listener.token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut answer = request
        .call()
        .with_context(|| format!("no agent answers at {url}"))?;
    let status = answer.status().as_u16();
    if status == 401 {
        let why = "the agent asks for another token than telemetry.token_file holds now";
        return Err(Failed(format!("{url}: {why}")).into());
    }
    let text = answer
        .body_mut()
        .with_config()
        .limit(PAGE_BYTES)
        .read_to_vec()
        .with_context(|| format!("{url}: the answer breaks off"))?;
    if status != 200 {
        return Err(Failed(format!("{url}: answers {status}")).into());
    }
    serde_json::from_slice(&text)
        .with_context(|| format!("{url}: the answer is not that of a logsieve"))
}

/// An address that listens everywhere is asked on this host.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
