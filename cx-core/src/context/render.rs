//! Renderings of a context: for a terminal, as Markdown for models and notes, as HTML for
//! sidebars and notebooks.
//!
//! All three show one [`outline()`], so they say the same in the same order. What customers and
//! others wrote is data: control characters are taken out, Markdown fences it, HTML escapes it.

pub mod outline;
pub mod terminal;
pub mod markdown;
pub mod html;

pub use html::html;
pub use markdown::markdown;
pub use outline::{Outline, outline};
pub use terminal::{Colour, terminal};
