//! The log on standard error, filtered by `RUST_LOG`.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// The environment variable with the directives.
const VARIABLE: &str = "RUST_LOG";

/// Logs to standard error from now on, as the directives in `RUST_LOG` say, or else `defaults`, in the same form.
/// One line on standard error reports the invalid directives, whatever the log level is.
///
/// # Panics
/// If the process has another log already.
pub fn init(defaults: &str) {
    let Choice { directives, remarks } = choose(std::env::var_os(VARIABLE).as_deref(), defaults);
    if !remarks.is_empty() {
        // If standard error cannot be written, the line is lost and nothing else.
        let _ = writeln!(io::stderr(), "{VARIABLE}: {}", remarks.join("; "));
    }
    // Standard error may be closed or full: a log line that cannot be written is not worth a panic.
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_env_filter(EnvFilter::new(directives))
        .init();
}

/// The directives to use, and remarks about the others.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    directives: String,
    remarks: Vec<String>,
}

fn choose(variable: Option<&OsStr>, defaults: &str) -> Choice {
    let text = variable.map(OsStr::to_string_lossy).unwrap_or_default();
    let (mut used, mut remarks) = (Vec::new(), Vec::new());
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if part.contains(char::REPLACEMENT_CHARACTER) || part.parse::<Directive>().is_err() {
            remarks
                .push(format!("{part:?} is left out: it is not a directive such as info or registry=debug"));
            continue;
        }
        // A mistyped level is a valid directive for a module of that name, and switches every other module off.
        if !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err() {
            remarks.push(format!("{part:?} is not a level, so it is used as the name of a module"));
        }
        used.push(part);
    }
    if used.is_empty() {
        // All directives were invalid, or there were none.
        return Choice { directives: defaults.into(), remarks };
    }
    Choice { directives: used.join(","), remarks }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn used(variable: &str) -> (String, usize) {
        let choice = choose(Some(OsStr::new(variable)), "warn");
        (choice.directives, choice.remarks.len())
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(choose(None, "warn"), Choice { directives: "warn".into(), remarks: vec![] });
        for empty in ["", " ", "\t", ",", " , ,"] {
            assert_eq!(used(empty), ("warn".into(), 0), "{empty:?}");
        }
    }

    #[test]
    fn valid_directives_are_used_unchanged() {
        for valid in [
            "info",
            "INFO",
            "off",
            "3",
            "zk_core=debug,info",
            "registry",
            "[keeper]=trace",
            "a[b{c=1}]=debug",
        ] {
            assert_eq!(used(valid).0, valid);
        }
        assert_eq!(used(" info , registry=debug,"), ("info,registry=debug".into(), 0));
    }

    #[test]
    fn an_invalid_directive_is_reported_and_the_others_are_used() {
        assert_eq!(used("registry=debug,zk_core=verbose,info"), ("registry=debug,info".into(), 1));
        assert_eq!(used("zk_core=verbose"), ("warn".into(), 1), "no valid directive: the defaults are used");
        assert_eq!(used("=,a=b=c"), ("warn".into(), 2));
        let remarks = choose(Some(OsStr::new("zk_core=\u{1b}[2J")), "warn").remarks.join("");
        assert!(remarks.contains(r#""zk_core=\u{1b}[2J""#), "{remarks}");
        let choice = choose(Some(OsStr::from_bytes(b"zk_core=\xff,info")), "warn");
        assert_eq!((choice.directives.as_str(), choice.remarks.len()), ("info", 1));
    }

    #[test]
    fn a_word_that_is_no_level_is_reported_and_used_as_a_module() {
        assert_eq!(used("inof"), ("inof".into(), 1));
        assert_eq!(used("debug,registry"), ("debug,registry".into(), 1));
    }
}
