//! Whether there is a cluster to be asked, and how: what a pod is told by its environment and its service account.
//!
//! <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#without-using-a-proxy>

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::raw::{Kubernetes, Switch};
use crate::config::sinks::{Auth, Client, Proxy, Secret, Tls};

/// How long connecting and the head of an answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How a cluster is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where, and who asks.
    pub client: Client,
    /// The node whose pods are asked for.
    pub node: String,
    /// Which labels are kept.
    pub labels: Vec<String>,
    /// How long pods that are gone are remembered.
    pub keep: Duration,
    /// How many pods are remembered.
    pub max_pods: usize,
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No cluster, which needs no word.
    Nothing,
    /// It is not to be asked, and why.
    Off(String),
    /// It is to be asked and cannot be, and why.
    Broken(String),
    /// A cluster.
    Cluster(Box<Options>),
}

/// Looks for the cluster that `config` means; `variable` gives the process's environment.
#[must_use]
pub fn find(config: &Kubernetes, variable: &dyn Fn(&str) -> Option<String>) -> Found {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    if config.enabled == Switch::Off {
        return Found::Nothing;
    }
    let is_wanted = config.enabled == Switch::On;
    let missing = |why: String| {
        if is_wanted {
            Found::Broken(why)
        } else {
            Found::Off(why)
        }
    };
    let url = if config.server.is_empty() {
        match variable("KUBERNETES_SERVICE_HOST") {
            Some(host) => {
                let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
                if host.contains(':') {
                    format!("https://[{host}]:{port}")
                } else {
                    format!("https://{host}:{port}")
                }
            }
            None if is_wanted => {
                return Found::Broken(
                    "the agent does not run in a pod; set sources.kubernetes.server".to_owned(),
                );
            }
            None => return Found::Nothing,
        }
    } else {
        config.server.trim_end_matches('/').to_owned()
    };
    let account = Path::new(&config.service_account);
    let (token, authority) = (account.join("token"), account.join("ca.crt"));
    let is_protected = url.starts_with("https://");
    if is_protected && !token.exists() {
        return missing(format!(
            "there is no service account's token at {}",
            token.display()
        ));
    }
    let node = Some(config.node.clone())
        .filter(|node| !node.is_empty())
        .or_else(|| variable("NODE_NAME"))
        .or_else(|| variable("LOGSIEVE_HOST"));
    let Some(node) = node else {
        return missing(
            "the node's name is not known: set NODE_NAME from spec.nodeName, or sources.kubernetes.node"
                .to_owned(),
        );
    };
    Found::Cluster(Box::new(Options {
        client: client(url, token, authority, is_protected),
        node,
        labels: config.labels.clone(),
        keep: Duration::from_secs(config.keep_minutes.saturating_mul(60)),
        max_pods: config.max_pods,
    }))
}

fn client(url: String, token: PathBuf, authority: PathBuf, is_protected: bool) -> Client {
    Client {
        url,
        timeout: TIMEOUT,
        headers: vec![(
            "Accept".to_owned(),
            Secret::Text("application/json".to_owned()),
        )],
        // A token is not sent over an open connection: that is for `kubectl proxy`, which asks for none.
        auth: if is_protected {
            Auth::Bearer(Secret::File(token))
        } else {
            Auth::None
        },
        tls: Tls {
            ca_file: (is_protected && authority.exists()).then_some(authority),
            ..Tls::default()
        },
        // The API server is the cluster's own.
        proxy: Proxy::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Checked;

    fn config(yaml: &str) -> Kubernetes {
        let whole = format!("sources: {{kubernetes: {{{yaml}}}}}");
        Checked::parse("test", &whole).unwrap().sources.kubernetes
    }

    fn search(yaml: &str, environment: &[(&str, &str)]) -> Found {
        find(&config(yaml), &|name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const POD: [(&str, &str); 2] = [
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        ("KUBERNETES_SERVICE_PORT", "6443"),
    ];

    #[test]
    fn without_a_cluster_nothing_is_said() {
        assert_eq!(search("", &[]), Found::Nothing);
        assert_eq!(search("enabled: off", &POD), Found::Nothing);
        assert!(matches!(search("enabled: on", &[]), Found::Broken(_)));
    }

    #[test]
    fn a_pod_without_a_token_or_a_node_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let account = format!("service_account: \"{}\"", dir.path().display());
        let Found::Off(why) = search(&account, &POD) else {
            panic!("no token is no cluster");
        };
        assert!(why.contains("token"), "{why}");
        std::fs::write(dir.path().join("token"), "t").unwrap();
        let Found::Off(why) = search(&account, &POD) else {
            panic!("the whole cluster is never watched");
        };
        assert!(why.contains("NODE_NAME"), "{why}");
        let with_node = [&POD[..], &[("NODE_NAME", "n1")]].concat();
        let Found::Cluster(options) = search(&account, &with_node) else {
            panic!("all is there");
        };
        assert_eq!(options.client.url, "https://10.0.0.1:6443");
        assert_eq!(options.node, "n1");
        let six = [("KUBERNETES_SERVICE_HOST", "fd00::1"), ("NODE_NAME", "n")];
        let Found::Cluster(options) = search(&account, &six) else {
            panic!("all is there");
        };
        assert_eq!(options.client.url, "https://[fd00::1]:443");
    }

    #[test]
    fn no_token_is_sent_over_an_open_connection() {
        let yaml = "server: \"http://127.0.0.1:8001/\", node: n1";
        let Found::Cluster(options) = search(yaml, &[]) else {
            panic!("a proxy needs no token");
        };
        assert_eq!(options.client.auth, Auth::None);
        assert_eq!(options.client.url, "http://127.0.0.1:8001");
    }
}
