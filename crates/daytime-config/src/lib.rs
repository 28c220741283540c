//! The one TOML schema and loader that daytime-server and daytime-client share.
