//! Standard output and standard error.

use std::io::{IsTerminal as _, Write as _};

use super::Colour;

/// Writes all of `bytes` to standard output.
///
/// # Errors
/// Those of the write, a closed pipe among them.
pub(super) fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(())
}

/// Tells a person what went wrong, with the causes.
pub(super) fn complain(error: &anyhow::Error) {
    // Nobody is left to tell where standard error is gone too.
    let _ = writeln!(std::io::stderr(), "logsieve: {error:#}");
}

/// Whether standard output is to be coloured.
pub(crate) fn wants_colour(choice: Colour) -> bool {
    match choice {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}
