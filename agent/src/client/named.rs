//! A server whose certificate holds another name than its address: the name goes into the request's URI, where the
//! handshake takes it from, and the address is looked up here.

use std::fmt;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Looks up one address, whatever it is asked for.
pub(super) struct Named {
    address: Uri,
    named: Uri,
    resolver: DefaultResolver,
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named")
            .field("address", &self.address)
            .field("named", &self.named)
            .finish_non_exhaustive()
    }
}

impl Named {
    /// For the server at `address` whose certificate holds `name`.
    ///
    /// # Errors
    /// In words, where `name` cannot be a host's name.
    pub(super) fn new(name: &str, address: &Uri) -> Result<Self, String> {
        let mut parts = address.clone().into_parts();
        let authority = match address.port_u16() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        let authority = authority
            .parse()
            .map_err(|error| format!("tls.server_name: {error}"))?;
        parts.authority = Some(authority);
        let named = Uri::from_parts(parts).map_err(|error| format!("tls.server_name: {error}"))?;
        Ok(Self {
            address: address.clone(),
            named,
            resolver: DefaultResolver::default(),
        })
    }

    /// The URI that requests are made with.
    pub(super) fn uri(&self) -> &Uri {
        &self.named
    }

    /// The agent for those requests.
    pub(super) fn agent(self, config: Config) -> Agent {
        Agent::with_parts(config, DefaultConnector::default(), self)
    }
}

impl Resolver for Named {
    fn resolve(
        &self,
        _uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.resolver.resolve(&self.address, config, timeout)
    }
}
