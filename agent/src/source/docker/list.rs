//! Which containers an engine has, from its list alone: an inspection would bring their environment variables with it.

use std::collections::BTreeSet;
use std::time::Duration;

use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::reach::connect;
use super::{Host, Unreachable};

/// How long the engine may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A container as the engine lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The full id.
    pub id: String,
    /// Its name, without the leading `/`.
    pub name: String,
    /// The image as it was asked for.
    pub image: String,
    /// `running`, `exited`, ...
    pub state: String,
    /// The same in words: `Up 2 hours`.
    pub status: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Ports of this host that lead to it: `8080:0.0.0.0`.
    pub ports: Vec<String>,
}

/// All containers of the engine, those that do not run included.
///
/// # Errors
/// Why the engine cannot be asked.
pub async fn containers(host: &Host) -> Result<Vec<Listed>, Unreachable> {
    let not_docker = |problem: &dyn std::fmt::Display| {
        Unreachable::NotDocker(host.to_string(), problem.to_string())
    };
    let listed = async {
        let (docker, _) = connect(host).await?;
        let options = ListContainersOptionsBuilder::new().all(true).build();
        docker
            .list_containers(Some(options))
            .await
            .map_err(|problem| not_docker(&problem))
    };
    let listed = tokio::time::timeout(TIMEOUT, listed)
        .await
        .map_err(|_| not_docker(&"no answer within 5 s"))??;
    Ok(listed.into_iter().map(of).collect())
}

/// A container's name without the leading `/`. Of several names one has no link in it: `/name`, not `/other/alias`.
pub(super) fn name_of(summary: &ContainerSummary) -> String {
    summary
        .names
        .iter()
        .flatten()
        .map(|name| name.trim_start_matches('/'))
        .min_by_key(|name| name.contains('/'))
        .unwrap_or_default()
        .to_owned()
}

fn of(summary: ContainerSummary) -> Listed {
    let name = name_of(&summary);
    // The same port on several addresses stands once for each.
    let ports: BTreeSet<String> = summary
        .ports
        .iter()
        .flatten()
        .filter_map(|port| {
            let address = port.ip.as_ref().map(ToString::to_string)?;
            Some(format!("{}:{address}", port.public_port?))
        })
        .collect();
    Listed {
        id: summary.id.unwrap_or_default(),
        name,
        image: summary.image.unwrap_or_default(),
        state: summary
            .state
            .map(|state| state.to_string())
            .unwrap_or_default(),
        status: summary.status.unwrap_or_default(),
        created: summary.created.unwrap_or_default(),
        ports: ports.into_iter().collect(),
    }
}
