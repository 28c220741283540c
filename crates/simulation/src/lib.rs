//! An ensemble in virtual time.
