//! The C interface of gapless: `include/gapless.h`.
//!
//! One noun a file: [`engine`], [`reader`], [`changes`], [`replica`], [`regions`], [`events`],
//! [`latency`], [`views`]; what a C program passes and gets is in [`types`] and [`event`],
//! `handles` has the objects behind C's numbers, and `boundary` is the only file that touches its
//! pointers. Invariant: nothing unwinds into C, and no pointer but one that the caller passes in
//! that very call is followed.
#![deny(unsafe_code)]

#[allow(unsafe_code)] // Follows the caller's pointers.
mod boundary;
#[allow(unsafe_code)] // Unmangled names.
pub mod changes;
#[allow(unsafe_code)] // Unmangled names.
pub mod engine;
pub mod event;
#[allow(unsafe_code)] // Unmangled names.
pub mod events;
mod handles;
#[allow(unsafe_code)] // Unmangled names.
pub mod latency;
#[allow(unsafe_code)] // Unmangled names.
pub mod reader;
#[allow(unsafe_code)] // Unmangled names.
pub mod regions;
#[allow(unsafe_code)] // Unmangled names.
pub mod replica;
#[allow(unsafe_code)] // Unmangled names.
pub mod text;
pub mod types;
#[allow(unsafe_code)] // Unmangled names.
pub mod views;
