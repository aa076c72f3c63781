//! About how many bytes a statement's parameters are of.

use jiff::Timestamp;
use uuid::Uuid;

use crate::store::columns::JsonText;

/// What is sent as about so many bytes.
pub(super) trait Size {
    fn size(&self) -> usize;
}

/// Declares what is as long as it is here.
macro_rules! fixed {
    ($($kind:ty),+) => {$(
        impl Size for $kind {
            fn size(&self) -> usize {
                size_of::<$kind>()
            }
        }
    )+};
}

fixed!(bool, i32, i64, Timestamp, Uuid);

impl Size for &'static str {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Size for String {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Size for JsonText {
    fn size(&self) -> usize {
        self.0.len()
    }
}

impl<T: Size> Size for Option<T> {
    fn size(&self) -> usize {
        self.as_ref().map_or(0, T::size)
    }
}

/// Adds up those of rows.
pub(super) fn bytes_of<T: Size>(rows: &[T]) -> usize {
    rows.iter().map(T::size).sum()
}
