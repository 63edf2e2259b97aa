//! The moments between two looks at the file system, in which it may change.

/// A look at the file system follows. Tests let something happen here that otherwise hardly ever happens just then.
#[inline]
pub(super) fn moment() {
    #[cfg(test)]
    happen::now();
}

/// What tests let happen.
#[cfg(test)]
pub(super) mod happen {
    use std::cell::RefCell;

    type Happening = Box<dyn FnMut()>;

    thread_local! {
        static HAPPENING: RefCell<Option<Happening>> = const { RefCell::new(None) };
    }

    /// From now on `happening` is called at each moment of this thread.
    pub(in super::super) fn at_each_moment(happening: Option<Happening>) {
        HAPPENING.with(|it| *it.borrow_mut() = happening);
    }

    pub(super) fn now() {
        HAPPENING.with(|it| {
            if let Ok(mut happening) = it.try_borrow_mut()
                && let Some(happening) = &mut *happening
            {
                happening();
            }
        });
    }
}
