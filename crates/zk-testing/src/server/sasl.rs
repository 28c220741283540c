//! SASL DIGEST-MD5: the users of a server, and whether it serves other clients.

use std::fmt::Write as _;

use super::ServerBuilder;

impl ServerBuilder {
    /// Makes the server know these users, each with a password, by SASL DIGEST-MD5.
    ///
    /// A session that authenticates so gets the identity `sasl:USER`. One that does not is served all the same, unless
    /// [`require_sasl`](Self::require_sasl) says otherwise. A later call replaces the users of an earlier one. User
    /// names are made of ASCII letters, digits, `-`, `_` and `.`; the server refuses to start with others.
    #[must_use]
    pub fn sasl(mut self, users: &[(&str, &str)]) -> Self {
        self.sasl_users =
            users.iter().map(|(user, password)| ((*user).to_owned(), (*password).to_owned())).collect();
        self.config("authProvider.sasl", "org.apache.zookeeper.server.auth.SASLAuthenticationProvider")
    }

    /// Chooses whether a session must authenticate by SASL before its first request; the default is `false`.
    ///
    /// The reply to such a request is ZooKeeper's code -124, and the server closes the session. Needs
    /// [`sasl`](Self::sasl), and a server of 3.6 or newer.
    #[must_use]
    pub fn require_sasl(self, on: bool) -> Self {
        self.config("sessionRequireClientSASLAuth", on)
    }

    /// Writes the file by which Java's login knows the users; `None` without any.
    pub(super) fn jaas(&self) -> Option<String> {
        if self.sasl_users.is_empty() {
            return None;
        }
        let mut text = "Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required".to_owned();
        for (user, password) in &self.sasl_users {
            let password = password.replace('\\', r"\\").replace('"', r#"\""#);
            let _ = write!(text, "\n  user_{user}=\"{password}\"");
        }
        text.push_str(";\n};\n");
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_hold_quotes_and_backslashes() {
        let jaas = ServerBuilder::new().sasl(&[("ann", r#"a"b\c"#), ("bob", "x")]).jaas().unwrap();
        assert!(jaas.contains(r#"user_ann="a\"b\\c""#), "{jaas}");
        assert!(jaas.ends_with("user_bob=\"x\";\n};\n"), "{jaas}");
        assert_eq!(ServerBuilder::new().jaas(), None);
    }
}
