//! The tree of exceptions: one base, children where the caller would act differently.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(gapless, GaplessError, PyException, "Base of every error of this module.");
create_exception!(
    gapless,
    NotLiveError,
    GaplessError,
    "The book is not proven to be the venue's book now; the text says its state and why."
);
create_exception!(
    gapless,
    FrameError,
    GaplessError,
    "A frame cannot be read; the text says what is wrong and at which byte."
);
create_exception!(
    gapless,
    InputError,
    GaplessError,
    "A recording cannot be read; the text says file, line, what is wrong and what to do."
);
create_exception!(gapless, ClosedError, GaplessError, "The object was closed; open another one.");

create_exception!(
    gapless,
    ScaleError,
    GaplessError,
    "A value does not fit integers of its column's scale; the text says which and what to ask."
);
create_exception!(
    gapless,
    EngineError,
    GaplessError,
    "An engine cannot be made, started or asked so; the text says what is wrong."
);

/// Adds them to the module.
pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("GaplessError", py.get_type::<GaplessError>())?;
    module.add("NotLiveError", py.get_type::<NotLiveError>())?;
    module.add("FrameError", py.get_type::<FrameError>())?;
    module.add("EngineError", py.get_type::<EngineError>())?;
    module.add("ScaleError", py.get_type::<ScaleError>())?;
    module.add("InputError", py.get_type::<InputError>())?;
    module.add("ClosedError", py.get_type::<ClosedError>())
}
