//! Numbers for names, in the order in which they come.

use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Interner<'a> {
    /// Only looked up: nothing depends on its order.
    numbers: HashMap<&'a str, usize>,
    texts: Vec<&'a str>,
}

impl<'a> Interner<'a> {
    pub(super) fn number(&mut self, text: &'a str) -> usize {
        let next = self.texts.len();
        let number = *self.numbers.entry(text).or_insert(next);
        if number == next {
            self.texts.push(text);
        }
        number
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(super) fn text(&self, number: usize) -> &'a str {
        self.texts[number]
    }

    pub(super) fn texts(&self) -> &[&'a str] {
        &self.texts
    }
}
