//! Prices and sizes as Python holds them: float, `decimal.Decimal`, or the scaled integer itself.

use gapless::book::decimal::Decimal;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// How numbers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// The nearest float.
    Float,
    /// Exactly, as `decimal.Decimal`.
    Decimal,
    /// Exactly, as an integer at the scale of the book.
    Int,
}

impl Numbers {
    /// Reads the word of an argument.
    pub fn read(word: &str) -> PyResult<Self> {
        match word {
            "float" => Ok(Self::Float),
            "decimal" => Ok(Self::Decimal),
            "int" => Ok(Self::Int),
            _ => {
                let text = format!("numbers must be 'float', 'decimal' or 'int', not {word:?}");
                Err(PyValueError::new_err(text))
            }
        }
    }

    /// A value `mantissa / 10^scale`.
    #[inline]
    pub fn show(self, py: Python<'_>, mantissa: i64, scale: u8) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Float => {
                Ok(gapless::convert::scaled_f64(mantissa, scale).into_pyobject(py)?.into_any())
            }
            Self::Int => Ok(mantissa.into_pyobject(py)?.into_any()),
            Self::Decimal => decimal_type(py)?.call1((Decimal::new(mantissa, scale).to_string(),)),
        }
    }
}

fn decimal_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    TYPE.import(py, "decimal", "Decimal")
}
