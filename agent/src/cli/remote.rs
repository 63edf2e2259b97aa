//! A running agent, asked over its API.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::Failed;

/// At most so much of an answer is read.
const ANSWER_BYTES: u64 = 16 * 1024 * 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which agent is asked, and with which token.
#[derive(Debug, clap::Args)]
pub(super) struct RemoteArgument {
    /// File with the token that the agent's API asks for
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl RemoteArgument {
    /// Posts `body` to `path` of the agent at `url` and gives its answer.
    ///
    /// # Errors
    /// Where no agent answers, or it refuses: in its own words.
    pub(super) fn post(&self, url: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", url.trim_end_matches('/'));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        let mut request = agent.post(&url).header("Content-Type", "application/json");
        if let Some(file) = &self.token_file {
            let token = std::fs::read_to_string(file)
                .with_context(|| format!("{}: cannot be read", file.display()))?;
            request = request.header("Authorization", format!("Bearer {}", token.trim()));
        }
        let mut answer = request
            .send(body.to_string())
            .with_context(|| format!("no agent answers at {url}"))?;
        let status = answer.status().as_u16();
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES)
            .read_to_vec()
            .with_context(|| format!("{url}: the answer breaks off"))?;
        let value: Value = serde_json::from_slice(&text)
            .with_context(|| format!("{url}: the answer ({status}) is not that of a logsieve"))?;
        if status < 400 {
            return Ok(value);
        }
        let said = |key: &str| value["error"][key].as_str().unwrap_or_default().to_owned();
        let words = [said("message"), said("hint")];
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        Err(Failed(format!("{url}: {} ({status})", words.join("; "))).into())
    }
}
