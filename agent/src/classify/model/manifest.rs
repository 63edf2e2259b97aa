//! Whether the files of a model are those that were made together.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::ModelError;

#[derive(Deserialize)]
struct Manifest {
    files: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    sha256: String,
}

/// Holds every file of `manifest.json` against its hash, and gives what tells the model from others: a hash of the hashes.
/// A directory without a manifest (a model of the user's own) is told by its `model.onnx`.
pub(super) fn verify(directory: &Path) -> Result<String, ModelError> {
    let path = directory.join("manifest.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = directory.join("model.onnx");
            return hash(&file).map_err(|error| ModelError::unreadable(&file, &error));
        }
        Err(error) => return Err(ModelError::unreadable(&path, &error)),
    };
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| {
        ModelError::new(
            &path,
            format!("is no manifest: {error}"),
            "make the model anew (make model)",
        )
    })?;
    let mut all = Sha256::new();
    for (name, entry) in &manifest.files {
        let file = directory.join(name);
        let found = hash(&file).map_err(|error| ModelError::unreadable(&file, &error))?;
        if found != entry.sha256 {
            return Err(ModelError::new(
                &file,
                "is not the file that the manifest speaks of (its hash is another one)".to_owned(),
                "make the model anew (make model), or copy the directory again",
            ));
        }
        // The runtime's build changes no verdict that matters, and differs by platform.
        if !name.starts_with("libonnxruntime") {
            all.update(found.as_bytes());
        }
    }
    Ok(hexadecimal(&all.finalize()))
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hexadecimal(&hasher.finalize()));
        }
        hasher.update(&piece[..read]);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
