//! The flags of the command line: `--name value`.

use std::str::FromStr;

/// The arguments behind the name of the program and of the command.
#[derive(Debug)]
pub(crate) struct Flags(Vec<(String, String)>);

impl Flags {
    /// Reads pairs of a flag and its value.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, String> {
        let mut pairs = Vec::new();
        let mut arguments = arguments;
        while let Some(flag) = arguments.next() {
            if !known.contains(&flag.as_str()) {
                return Err(format!("unknown argument {flag}; see --help"));
            }
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            pairs.push((flag, value));
        }
        Ok(Self(pairs))
    }

    /// The value of a flag.
    pub(crate) fn get<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        let Some((_, value)) = self.0.iter().rfind(|(flag, _)| flag == name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| format!("{name} {value} makes no sense; see --help"))
    }

    /// The value of a flag that has to be there.
    pub(crate) fn need<T: FromStr>(&self, name: &str) -> Result<T, String> {
        self.get(name)?.ok_or_else(|| format!("{name} is missing"))
    }
}
