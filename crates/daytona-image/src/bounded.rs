//! Lists that nothing can make very long.

/// As many items as there is room for, and how many more there were.
#[derive(Debug)]
pub(crate) struct Bounded<T> {
    items: Vec<T>,
    most: usize,
    more: usize,
}

impl<T> Bounded<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            items: Vec::new(),
            most,
            more: 0,
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.items.len() < self.most {
            self.items.push(item);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    /// The items, and how many there are besides.
    pub(crate) fn into_parts(self) -> (Vec<T>, usize) {
        (self.items, self.more)
    }
}
