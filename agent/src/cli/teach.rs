//! `logsieve teach`: says what a template is about, for good.

use serde_json::json;

use super::output;
use super::remote::RemoteArgument;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The template's id, as every output prints it
    template: String,
    /// The category that its events have from now on
    category: String,
    /// The API of the running agent
    #[arg(long, default_value = "http://127.0.0.1:7333")]
    url: String,
    #[command(flatten)]
    remote: RemoteArgument,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let said = arguments.remote.post(
        &arguments.url,
        &format!("/api/templates/{}/label", arguments.template),
        &json!({"category": arguments.category}),
    )?;
    let template = said["template"].as_str().unwrap_or_default();
    let mut safe = Vec::new();
    crate::escape::escape_terminal(template.as_bytes(), None, &mut safe);
    let words = format!(
        "{} from now on: {}\n",
        arguments.category,
        String::from_utf8_lossy(&safe)
    );
    output::print(words.as_bytes())
}
