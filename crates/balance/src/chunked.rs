//! A vector whose versions share what has not changed.

use std::sync::Arc;

/// How many rows share an allocation: a change copies one chunk and the list of chunks, 400 pointers of 100,000.
/// Reading costs one load more than from a slice. (A tree of smaller chunks would copy less and cost a pick more.)
pub(crate) const CHUNK: usize = 256;

/// The rows of one chunk, of which the first are there: column by column, so that a pick has more of what it reads in its cache.
/// Of a fixed length: to read one takes no look at a length.
pub(crate) trait Columns: Clone {
    type Row;
    type Ref<'a>
    where
        Self: 'a;

    fn new() -> Self;
    fn get(&self, at: usize) -> Option<Self::Ref<'_>>;
    fn replace(&mut self, at: usize, row: Option<Self::Row>) -> Option<Self::Row>;
}

/// A vector that is cheap to clone, and to change after that. All chunks but the last are full, and none is empty.
#[derive(Debug)]
pub(crate) struct Chunked<C> {
    chunks: Arc<[Arc<C>]>,
    len: usize,
}

impl<C> Clone for Chunked<C> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<C> Default for Chunked<C> {
    fn default() -> Self {
        Self { chunks: Arc::new([]), len: 0 }
    }
}

impl<C> Chunked<C> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The chunk of a row, and its place there. There may be none.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> Option<(&C, usize)> {
        Some((self.chunks.get(index / CHUNK)?, index % CHUNK))
    }

    /// The chunks, and how many rows each of them has.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (&C, usize)> {
        let len = |number: usize| CHUNK.min(self.len - number * CHUNK);
        self.chunks.iter().enumerate().map(move |(number, chunk)| (&**chunk, len(number)))
    }
}

impl<C: Columns> Chunked<C> {
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<C::Ref<'_>> {
        let (chunk, at) = self.at(index)?;
        chunk.get(at)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = C::Ref<'_>> {
        self.chunks().flat_map(|(chunk, len)| (0..len).filter_map(|at| chunk.get(at)))
    }

    pub(crate) fn set(&mut self, index: usize, row: C::Row) {
        if index < self.len {
            self.replace(index, Some(row));
        }
    }

    pub(crate) fn push(&mut self, row: C::Row) {
        if self.len.is_multiple_of(CHUNK) {
            let chunk = Arc::new(C::new());
            self.chunks = self.chunks.iter().cloned().chain([chunk]).collect();
        }
        self.replace(self.len, Some(row));
        self.len += 1;
    }

    /// Removes a row, and puts the last one in its place. Returns that one, if it moved.
    pub(crate) fn swap_remove(&mut self, index: usize) -> Option<C::Ref<'_>> {
        if index >= self.len {
            return None;
        }
        self.len -= 1;
        let last = self.replace(self.len, None);
        if self.len.is_multiple_of(CHUNK) {
            self.chunks = self.chunks.iter().take(self.len / CHUNK).cloned().collect();
        }
        if index == self.len {
            return None;
        }
        self.replace(index, last);
        self.get(index)
    }

    fn replace(&mut self, index: usize, row: Option<C::Row>) -> Option<C::Row> {
        let chunk = Arc::make_mut(&mut self.chunks).get_mut(index / CHUNK)?;
        Arc::make_mut(chunk).replace(index % CHUNK, row)
    }
}

#[cfg(test)]
impl<C> Chunked<C> {
    /// Where the chunks are: a test sees which are shared.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = usize> {
        self.chunks.iter().map(|chunk| Arc::as_ptr(chunk) as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Columns for [Option<usize>; CHUNK] {
        type Row = usize;
        type Ref<'a> = &'a usize;

        fn new() -> Self {
            [None; CHUNK]
        }

        fn get(&self, at: usize) -> Option<&usize> {
            self[at].as_ref()
        }

        fn replace(&mut self, at: usize, row: Option<usize>) -> Option<usize> {
            std::mem::replace(&mut self[at], row)
        }
    }

    proptest! {
        /// Against a vector, at lengths around the ends of chunks; and earlier versions do not change.
        #[test]
        fn it_is_a_vector_and_its_clones_keep_what_they_had(
            start in prop_oneof![0..3_usize, CHUNK - 2..CHUNK + 3, 3 * CHUNK - 2..3 * CHUNK + 3],
            steps in prop::collection::vec((0..3_u8, any::<prop::sample::Index>()), 0..40),
        ) {
            let mut model: Vec<usize> = (0..start).collect();
            let mut chunked = Chunked::<[Option<usize>; CHUNK]>::default();
            (0..start).for_each(|n| chunked.push(n));
            let (first_model, first) = (model.clone(), chunked.clone());
            for (n, (step, index)) in steps.into_iter().enumerate() {
                let new = 1_000_000 + n;
                match step {
                    0 => {
                        model.push(new);
                        chunked.push(new);
                    }
                    1 if !model.is_empty() => {
                        let at = index.index(model.len());
                        model.swap_remove(at);
                        prop_assert_eq!(chunked.swap_remove(at), model.get(at));
                    }
                    2 if !model.is_empty() => {
                        let at = index.index(model.len());
                        model[at] = new;
                        chunked.set(at, new);
                    }
                    _ => {}
                }
                prop_assert_eq!(chunked.len(), model.len());
                prop_assert_eq!(chunked.get(model.len()), None);
            }
            prop_assert!(chunked.iter().eq(&model));
            prop_assert!(first.iter().eq(&first_model));
            prop_assert!((0..model.len()).all(|n| chunked.get(n) == Some(&model[n])));
        }
    }
}
