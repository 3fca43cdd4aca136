//! The names of an engine's instruments and books as numbers.
//!
//! Invariant: a name has one number for as long as the engine lives. Writers lock it only when they
//! meet a name for the first time.

use crate::events::NameId;
use crate::sync::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

#[derive(Debug, Default)]
struct Inner {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, NameId>,
}

/// The names.
#[derive(Debug, Default)]
pub(super) struct Names {
    inner: Mutex<Inner>,
}

impl Names {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that is done under the lock leaves it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a name, and its text as it is kept.
    pub fn id(&self, name: &str) -> (NameId, Arc<str>) {
        let mut inner = self.lock();
        if let Some((name, id)) = inner.ids.get_key_value(name) {
            return (*id, Arc::clone(name));
        }
        let id = NameId(u32::try_from(inner.names.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = name.into();
        inner.names.push(Arc::clone(&name));
        inner.ids.insert(Arc::clone(&name), id);
        (id, name)
    }

    /// The text of a number.
    pub fn name(&self, id: NameId) -> Option<Arc<str>> {
        self.lock().names.get(id.0 as usize).cloned()
    }
}
