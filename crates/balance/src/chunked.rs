//! A vector whose versions share what has not changed.

use std::sync::Arc;

/// How many elements share an allocation: a change copies one chunk and the list of chunks, 400 pointers of 100,000.
/// Reading costs one load more than from a slice. (A tree of smaller chunks would copy less and cost a pick more.)
const CHUNK: usize = 256;

/// The first elements are there. Of a fixed length: to read one takes no look at a length.
type Chunk<T> = [Option<T>; CHUNK];

/// A vector that is cheap to clone, and to change after that. All chunks but the last are full, and none is empty.
#[derive(Debug)]
pub(crate) struct Chunked<T> {
    chunks: Arc<[Arc<Chunk<T>>]>,
    len: usize,
}

impl<T> Clone for Chunked<T> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { chunks: Arc::new([]), len: 0 }
    }
}

impl<T> Chunked<T> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?[index % CHUNK].as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().flatten())
    }
}

impl<T: Clone> Chunked<T> {
    pub(crate) fn set(&mut self, index: usize, element: T) {
        if index < self.len {
            self.replace(index, Some(element));
        }
    }

    pub(crate) fn push(&mut self, element: T) {
        if self.len.is_multiple_of(CHUNK) {
            let chunk = Arc::new([const { None }; CHUNK]);
            self.chunks = self.chunks.iter().cloned().chain([chunk]).collect();
        }
        self.replace(self.len, Some(element));
        self.len += 1;
    }

    /// Removes an element, and puts the last one in its place. Returns that one, if it moved.
    pub(crate) fn swap_remove(&mut self, index: usize) -> Option<&T> {
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

    fn replace(&mut self, index: usize, element: Option<T>) -> Option<T> {
        let chunk = Arc::make_mut(&mut self.chunks).get_mut(index / CHUNK)?;
        std::mem::replace(&mut Arc::make_mut(chunk)[index % CHUNK], element)
    }
}

#[cfg(test)]
impl<T> Chunked<T> {
    /// Where the chunks are: a test sees which are shared.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = usize> {
        self.chunks.iter().map(|chunk| Arc::as_ptr(chunk) as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a vector, at lengths around the ends of chunks; and earlier versions do not change.
        #[test]
        fn it_is_a_vector_and_its_clones_keep_what_they_had(
            start in prop_oneof![0..3_usize, CHUNK - 2..CHUNK + 3, 3 * CHUNK - 2..3 * CHUNK + 3],
            steps in prop::collection::vec((0..3_u8, any::<prop::sample::Index>()), 0..40),
        ) {
            let (mut model, mut chunked): (Vec<usize>, _) = ((0..start).collect(), Chunked::default());
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
