//! The log on standard error, as `RUST_LOG` asks for it.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// The variable that says what is logged.
const VARIABLE: &str = "RUST_LOG";

/// Logs to standard error from now on: what `RUST_LOG` asks for, or the defaults, which are directives of the same
/// form. What is wrong in the variable is told there in a line, whatever is logged.
///
/// # Panics
/// If the process logs elsewhere already.
pub fn init(defaults: &str) {
    let Choice { directives, remarks } = choose(std::env::var_os(VARIABLE).as_deref(), defaults);
    if !remarks.is_empty() {
        // Where nobody listens, nobody is told.
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

/// What is used, and what is to be said about the rest.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    directives: String,
    remarks: Vec<String>,
}

fn choose(given: Option<&OsStr>, defaults: &str) -> Choice {
    let text = given.map(OsStr::to_string_lossy).unwrap_or_default();
    let (mut used, mut remarks) = (Vec::new(), Vec::new());
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if part.contains(char::REPLACEMENT_CHARACTER) || part.parse::<Directive>().is_err() {
            remarks.push(format!("{part:?} is no directive such as info or registry=debug, and is left out"));
            continue;
        }
        // A mistyped level is good grammar, and switches everything else off.
        if !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err() {
            remarks.push(format!("{part:?} is no level, and is taken for the name of a module"));
        }
        used.push(part);
    }
    if used.is_empty() {
        // All of it was wrong, or there was nothing in it.
        return Choice { directives: defaults.into(), remarks };
    }
    Choice { directives: used.join(","), remarks }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn used(given: &str) -> (String, usize) {
        let choice = choose(Some(OsStr::new(given)), "warn");
        (choice.directives, choice.remarks.len())
    }

    #[test]
    fn set_but_empty_is_unset() {
        assert_eq!(choose(None, "warn"), Choice { directives: "warn".into(), remarks: vec![] });
        for empty in ["", " ", "\t", ",", " , ,"] {
            assert_eq!(used(empty), ("warn".into(), 0), "{empty:?}");
        }
    }

    #[test]
    fn what_is_right_is_used_as_it_is() {
        for right in [
            "info",
            "INFO",
            "off",
            "3",
            "zk_core=debug,info",
            "registry",
            "[keeper]=trace",
            "a[b{c=1}]=debug",
        ] {
            assert_eq!(used(right).0, right);
        }
        assert_eq!(used(" info , registry=debug,"), ("info,registry=debug".into(), 0));
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_is_used() {
        assert_eq!(used("registry=debug,zk_core=verbose,info"), ("registry=debug,info".into(), 1));
        assert_eq!(used("zk_core=verbose"), ("warn".into(), 1), "nothing is left: the defaults");
        assert_eq!(used("=,a=b=c"), ("warn".into(), 2));
        let remarks = choose(Some(OsStr::new("zk_core=\u{1b}[2J")), "warn").remarks.join("");
        assert!(remarks.contains(r#""zk_core=\u{1b}[2J""#), "{remarks}");
        let choice = choose(Some(OsStr::from_bytes(b"zk_core=\xff,info")), "warn");
        assert_eq!((choice.directives.as_str(), choice.remarks.len()), ("info", 1));
    }

    #[test]
    fn a_word_that_is_no_level_is_told_as_the_name_that_it_is_taken_for() {
        assert_eq!(used("inof"), ("inof".into(), 1));
        assert_eq!(used("debug,registry"), ("debug,registry".into(), 1));
    }
}
