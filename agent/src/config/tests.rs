mod sinks;

use super::{Checked, PackChoice};

fn error(text: &str) -> String {
    Checked::parse("logsieve.yaml", text)
        .expect_err("a configuration that is wrong")
        .to_string()
}

#[test]
fn the_defaults_are_complete_and_sound() {
    let config = Checked::parse("defaults", "").expect("the built-in defaults");
    assert_eq!(config.pack, PackChoice::Builtin("general".to_owned()));
    let telemetry = config.telemetry.expect("a listener");
    assert_eq!(telemetry.listener.listen.to_string(), "127.0.0.1:7334");
    let api = config.api.expect("a listener");
    assert_eq!(api.listener.listen.to_string(), "127.0.0.1:7333");
}

#[test]
fn a_file_replaces_only_what_it_names() {
    let config = Checked::parse(
        "x",
        "sources:\n  files:\n    include: [/srv/*.log]\nevents:\n  max_lines: 7\n",
    )
    .expect("sound");
    assert_eq!(config.sources.files.include, ["/srv/*.log"]);
    assert_eq!(config.assemble.max_lines, 7);
    let defaults = Checked::parse("x", "# nothing\n").expect("sound");
    assert_eq!(
        config.sources.files.rescan_seconds,
        defaults.sources.files.rescan_seconds
    );
    assert_eq!(config.assemble.max_bytes, defaults.assemble.max_bytes);
}

#[test]
fn a_misspelt_key_is_told_with_its_place_and_the_nearest_name() {
    let message = error("log:\n  levle: debug\n");
    assert_eq!(
        message,
        "logsieve.yaml:2:3: unknown key `levle`; did you mean `level`? allowed: level, format"
    );
}

#[test]
fn a_value_of_another_set_is_told_with_what_is_allowed() {
    let message = error("log:\n  level: warning\n");
    assert!(
        message
            .starts_with("logsieve.yaml:2:10: `warning` is not allowed here; did you mean `warn`?"),
        "{message}"
    );
    assert!(error("events:\n  max_lines: many\n").starts_with("logsieve.yaml:2:14: "));
    assert!(error("events: [\n").starts_with("logsieve.yaml:"));
}

#[test]
fn bounds_that_would_stop_the_agent_are_refused() {
    assert!(
        error("events: {max_bytes: 1}")
            .contains("events.max_bytes: 1 is too small; use 256 or more")
    );
    assert!(error("sources: {files: {rescan_seconds: 0}}").contains("rescan_seconds"));
    assert!(error("events: {utc_offset_minutes: 99999}").contains("no zone of this world"));
}

#[test]
fn a_listener_that_others_can_reach_needs_a_token() {
    let open = "telemetry:\n  listen: 0.0.0.0:7334\n";
    assert!(error(open).contains("set telemetry.token_file, or listen on 127.0.0.1"));
    let file = tempfile::NamedTempFile::new().expect("a file");
    let with_token = format!("{open}  token_file: {}\n", file.path().display());
    assert!(
        error(&with_token).contains("no token protects it"),
        "an empty token is none"
    );
    std::fs::write(file.path(), "secret\n").expect("written");
    let config = Checked::parse("x", &with_token).expect("sound");
    assert_eq!(
        config
            .telemetry
            .expect("a listener")
            .listener
            .token
            .as_deref(),
        Some("secret")
    );
    assert!(
        Checked::parse("x", "telemetry: {listen: \"\"}")
            .expect("sound")
            .telemetry
            .is_none()
    );
    assert!(error("api: {listen: 0.0.0.0:7333}").contains("set api.token_file"));
    assert!(error("telemetry: {listen: localhost}").contains("is not an address with a port"));
}

#[test]
fn the_api_masks_secrets_where_others_can_ask_and_takes_its_token_from_anywhere() {
    let api = |text: &str| {
        let config = Checked::parse("x", &format!("api: {{{text}}}")).expect("sound");
        config.api.expect("a listener")
    };
    assert!(!api("").redact);
    assert!(api("redact: on").redact);
    // A variable that every environment has.
    let open = "listen: \"0.0.0.0:7333\", token_env: PATH";
    assert!(api(open).redact);
    assert!(!api(&format!("{open}, redact: off")).redact);
    assert_eq!(
        api(open).listener.token,
        std::env::var("PATH")
            .ok()
            .map(|path| path.trim().to_owned())
    );
    let unset = "api: {listen: \"0.0.0.0:7333\", token_env: LOGSIEVE_NO_SUCH_VARIABLE}";
    assert!(error(unset).contains("set api.token_file"));
    assert_eq!(api("hosts: [Logs.Example.org]").hosts, ["logs.example.org"]);
    assert!(error("api: {cors_origins: [example.org]}").contains("api.cors_origins"));
    assert!(error("api: {max_connections: 0}").contains("api.max_connections"));
}

#[test]
fn a_pack_is_a_name_or_a_path() {
    assert_eq!(
        PackChoice::parse("openstack"),
        PackChoice::Builtin("openstack".to_owned())
    );
    assert_eq!(
        PackChoice::parse("./mine"),
        PackChoice::File("./mine".into())
    );
    assert_eq!(
        PackChoice::parse("mine.yaml"),
        PackChoice::File("mine.yaml".into())
    );
}
