//! Who answers: the library and its crypto providers, with the versions that were really built.

use crate::crypto;

const LOCK: &str = include_str!("../Cargo.lock");

/// For example `mls-rs 0.57.0 (AWS-LC 0.27.0: 1, 2, 3; OpenSSL 0.22.0: 4, 6)`.
pub fn name() -> String {
    let providers: Vec<String> = crypto::PROVIDERS
        .iter()
        .map(|provider| {
            let suites: Vec<String> = provider.suites.iter().map(|suite| suite.raw_value().to_string()).collect();
            format!("{} {}: {}", provider.name, version(provider.package), suites.join(", "))
        })
        .collect();
    format!("mls-rs {} ({})", version("mls-rs"), providers.join("; "))
}

fn version(package: &str) -> &'static str {
    LOCK.split_once(&format!("name = \"{package}\"\nversion = \""))
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("unknown", |(version, _)| version)
}
