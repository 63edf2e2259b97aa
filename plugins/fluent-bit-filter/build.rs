//! Compiles the pack in: `LOGSIEVE_PACK` is a built-in one's name or a file, `general` where it is not set; and the names of further
//! keys that hold a record's text, `LOGSIEVE_KEYS`, separated by commas.

use std::{env, error::Error, fs, path::Path};

use logline::rules::{Pack, RuleSet};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=LOGSIEVE_PACK");
    println!("cargo:rerun-if-env-changed=LOGSIEVE_KEYS");
    let choice = env::var("LOGSIEVE_PACK").unwrap_or_else(|_| "general".to_owned());
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    fs::write(out.join("pack.bin"), packed(&choice)?)?;
    fs::write(out.join("openstack.bin"), packed("openstack")?)?;
    fs::write(
        out.join("keys.txt"),
        env::var("LOGSIEVE_KEYS").unwrap_or_default(),
    )?;
    Ok(())
}

/// A pack as the filter reads it. The filter has nobody to tell that a pack is wrong: then it must not be built.
fn packed(choice: &str) -> Result<Vec<u8>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("LOGSIEVE_PACK={choice}: {error}");
    let text = if let Some(text) = Pack::builtin_source(choice) {
        text.as_bytes().to_vec()
    } else {
        println!("cargo:rerun-if-changed={choice}");
        fs::read(choice).map_err(|error| wrong(&error))?
    };
    let pack = Pack::parse(&text).map_err(|error| wrong(&error))?;
    RuleSet::compile(&pack).map_err(|error| wrong(&error))?;
    Ok(pack.pack())
}
